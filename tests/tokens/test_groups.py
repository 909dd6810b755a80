"""Groups depend on the listing alone."""

from __future__ import annotations

import pytest

from dolmino_cli.shards.shard import Shard
from dolmino_cli.tokens.groups import Group, estimated_tokens, groups_of, in_one_go


def shard(name: str, size: int) -> Shard:
    return Shard(path=f"/in/{name}", name=name, bytes=size, etag=None)


def test_tokens_are_estimated_from_stored_bytes() -> None:
    names = ["a.jsonl", "a.jsonl.zst", "a.json.gz", "a.parquet"]
    assert [round(estimated_tokens(shard(name, 5590))) for name in names] == [1300, 4300, 4300, 4300]


def test_consecutive_shards_fill_a_file() -> None:
    shards = [shard(f"{i}.jsonl.zst", size) for i, size in enumerate([130, 130, 13, 400, 0, 130])]
    numbers = [(group.number, group.name, [s.name[0] for s in group.shards]) for group in groups_of(shards, 200)]
    assert numbers == [(0, "group-00000", ["0", "1"]), (1, "group-00001", ["2", "3"]), (2, "group-00002", ["4", "5"])]


def test_no_shards_no_groups() -> None:
    assert groups_of([], 100) == []


@pytest.mark.parametrize(
    ("sizes", "workers", "whole"),
    [
        ([], 4, 0),
        ([10], 1, 1),
        ([10, 10, 3], 1, 3),
        ([10], 2, 0),  # alone, it would keep one worker busy and the other idle
        ([10, 10], 2, 2),
        ([10, 1], 2, 0),
        ([10, 10, 1], 2, 2),
        ([10, 10, 10], 2, 2),
        ([10] * 16 + [3], 16, 16),
        ([10] * 15 + [3], 16, 16),  # to pack what all workers encoded would take longer than to let one be idle
        ([10] * 1000 + [3], 16, 992),
    ],
)
def test_workers_get_whole_groups_while_there_are_enough(sizes: list[int], workers: int, whole: int) -> None:
    groups = [Group(number=i, shards=(shard(f"{i}.jsonl.zst", size),)) for i, size in enumerate(sizes)]
    assert in_one_go(groups, workers) == whole
