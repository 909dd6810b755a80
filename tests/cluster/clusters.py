"""Clusters on this machine: Ray with several nodes, Slurm with two. Where one cannot be had, its test skips with the reason."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.executors.slurm_cluster import SlurmCluster, missing

ROOT = Path(__file__).resolve().parents[2]
ONE_CPU = {"num_cpus": 1, "object_store_memory": 80 << 20}  # bytes, the least that Ray takes
_MOST_STARTS = 3
_START_SECONDS = 120.0


@contextmanager
def ray_cluster(nodes: Sequence[dict[str, int]]) -> Iterator[Any]:
    """A Ray cluster of such nodes, the first its head; `add_node` and `remove_node` are Ray's own."""
    pytest.importorskip("ray", reason="needs the extra [ray]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # of the nodes; what is tested is this checkout
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # By itself Ray gives workers the priority 15, at which, beside busy processes, they take minutes to start; and it ends
        # them when others have filled the machine's memory.
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        patch.setenv("RAY_worker_register_timeout_seconds", "300")  # a worker that is late is not ended
        patch.setenv("RAY_health_check_timeout_ms", "60000")  # nor a node that is slow to answer
        patch.delenv("RAY_ADDRESS", raising=False)
        _wait_for_nodes_that_are_late(patch)
        cluster = _started(nodes)
        try:
            yield cluster
        finally:
            cluster.shutdown()


def _wait_for_nodes_that_are_late(patch: pytest.MonkeyPatch) -> None:
    """Ray itself allows a node 30 s to begin, and 30 s to be seen."""
    from ray._private import services
    from ray.cluster_utils import Cluster

    get_node, wait_for_node = services.get_node, Cluster._wait_for_node

    def get_late(*arguments: Any) -> Any:
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                return get_node(*arguments)
            except RuntimeError:  # it is not there yet
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    patch.setattr(services, "get_node", get_late)
    patch.setattr(Cluster, "_wait_for_node", lambda cluster, node: wait_for_node(cluster, node, _START_SECONDS))


def _started(nodes: Sequence[dict[str, int]]) -> Any:
    """A start that fails is made anew: others may take a port that Ray found free."""
    from ray.cluster_utils import Cluster

    for left in reversed(range(_MOST_STARTS)):
        cluster = Cluster()
        try:
            for node in nodes:
                cluster.add_node(include_dashboard=False, **node)
            break
        except Exception:
            cluster.shutdown()
            if not left:
                raise
    return cluster


@contextmanager
def slurm_cluster() -> Iterator[SlurmCluster]:
    """A Slurm of two nodes."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with SlurmCluster() as cluster:
        yield cluster
