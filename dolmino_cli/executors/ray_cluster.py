"""The Ray cluster that a run uses: connected to, never started by accident; and what must be alike on all of its nodes."""

from __future__ import annotations

import logging
import os
import socket
import sys
from typing import Any

import dolmino_cli
from dolmino_cli.errors import ConfigError, MissingExtra, RunFailed, first_line
from dolmino_cli.executors.ray_worker import Started

LOCAL = "local"
_REACH_SECONDS = 10.0


def connect(address: str | None) -> None:
    """Connect this process, once, to the cluster at `address`; None is $RAY_ADDRESS, else the one on this machine.

    Raises ConfigError where there is none, MissingExtra.
    """
    ray = import_ray()
    if ray.is_initialized():
        return
    reached = False
    asked = address or os.environ.get("RAY_ADDRESS") or "auto"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        reached = _reach(asked)
        ray.init(address=asked, logging_level=logging.WARNING, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        where = "on this machine" if asked == "auto" else f"at {asked}"
        why = first_line(error).partition(". ")[0].rstrip(".")
        if reached:
            raise ConfigError(
                f"--executor ray: the Ray cluster at {asked} does not let this process in ({why}); if it asks for a token, "
                "set RAY_AUTH_MODE=token here and on every node"
            ) from None
        raise ConfigError(
            f"--executor ray: no Ray cluster {where} ({why}); start one with `ray start --head`, give its --ray-address "
            f"HOST:6379 (or set RAY_ADDRESS), or write --ray-address {LOCAL} for one of this machine alone"
        ) from None


def _reach(address: str) -> bool:
    """Is it HOST:PORT, where something listens? Raises OSError where nothing does; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_REACH_SECONDS).close()
        return True
    return False


def cluster_cpus() -> float:
    """CPUs of all nodes that are there now."""
    return float(import_ray().cluster_resources().get("CPU", 0))


def check_started(started: Started, output: str) -> None:
    """Raises RunFailed for a worker that would not do what this process expects."""
    here = ".".join(map(str, sys.version_info[:2]))
    theirs, ours = f"dolmino {started.version}, Python {started.python}", f"dolmino {dolmino_cli.__version__}, Python {here}"
    if theirs != ours:
        raise RunFailed(f"Ray node {started.host} has {theirs}, this process {ours}; install the same on every node")
    if not started.sees_output:
        raise RunFailed(
            f"Ray node {started.host} does not see {output}, where this process writes; give an --output that all nodes see by "
            "the same path: s3://bucket/prefix, or a folder of shared storage"
        )


def import_ray() -> Any:
    """The library. Raises MissingExtra."""
    try:
        import ray
    except ImportError:
        raise MissingExtra("ray", extra="ray", needed_for="--executor ray") from None
    return ray
