"""Clusters on this machine: Ray with several nodes, Slurm with two. Where one cannot be had, its test skips with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.executors.slurm_cluster import SlurmCluster, missing

ROOT = Path(__file__).resolve().parents[2]
_STORE_BYTES = 80 << 20  # of a node's object store, the least that Ray takes


@contextmanager
def ray_cluster(*, nodes: int, cpus: int = 1) -> Iterator[Any]:
    """A Ray cluster of `nodes` node processes with `cpus` each; `add_node` and `remove_node` are Ray's own."""
    pytest.importorskip("ray", reason="needs the extra [ray]")
    from ray.cluster_utils import Cluster

    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(ROOT))  # of the nodes; what is tested is this checkout
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.delenv("RAY_ADDRESS", raising=False)
    node = {"num_cpus": cpus, "object_store_memory": _STORE_BYTES}
    for attempt in range(3):
        try:
            cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **node})
            break
        except Exception as error:  # Ray allows a node 30 s, which a busy machine exceeds
            if attempt == 2 or "timed out" not in str(error):
                raise
    try:
        for _ in range(nodes - 1):
            cluster.add_node(**node)
        yield cluster
    finally:
        cluster.shutdown()
        patch.undo()


@contextmanager
def slurm_cluster() -> Iterator[SlurmCluster]:
    """A Slurm of two nodes."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with SlurmCluster() as cluster:
        yield cluster
