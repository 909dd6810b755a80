"""Clusters on this machine: Ray with several nodes, Slurm with two. Where one cannot be had, its test skips with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.executors.slurm_cluster import SlurmCluster, missing

ROOT = Path(__file__).resolve().parents[2]
ONE_CPU = {"num_cpus": 1, "object_store_memory": 80 << 20}  # bytes, the least that Ray takes
_MOST_STARTS = 3


@contextmanager
def ray_cluster(nodes: Sequence[dict[str, int]]) -> Iterator[Any]:
    """A Ray cluster of such nodes, the first its head; `add_node` and `remove_node` are Ray's own."""
    pytest.importorskip("ray", reason="needs the extra [ray]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # of the nodes; what is tested is this checkout
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        cluster = _started(nodes)
        try:
            yield cluster
        finally:
            cluster.shutdown()


def _started(nodes: Sequence[dict[str, int]]) -> Any:
    """A start that fails is made anew: Ray allows a node 30 s, and others may take a port that it found free."""
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
