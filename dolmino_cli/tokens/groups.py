"""Shards -> groups: consecutive shards that fill a file together. The groups, not the workers, decide what the files are."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from dolmino_cli.shards.formats import format_of
from dolmino_cli.shards.shard import Shard

# Stored bytes per token, measured with dolma2 on web pages, code and papers; only the sizes of files depend on it.
PLAIN_BYTES_PER_TOKEN, COMPRESSED_BYTES_PER_TOKEN = 4.3, 1.3
# Time to put a group together from encoded shards, as a share of that to encode them; only speed depends on it.
_PACKING_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class Group:
    """The `number`-th group; its files are `part-<number>-*.npy`."""

    number: int
    shards: tuple[Shard, ...]

    @property
    def name(self) -> str:
        """As the ledger names it."""
        return f"group-{self.number:05d}"

    @property
    def estimated_tokens(self) -> float:
        """From the stored sizes of its shards."""
        return sum(map(estimated_tokens, self.shards))


def estimated_tokens(shard: Shard) -> float:
    """From the stored size and the kind of file alone."""
    found = format_of(shard.name)
    plain = found.kind == "jsonl" and found.compression == "plain"
    return shard.bytes / (PLAIN_BYTES_PER_TOKEN if plain else COMPRESSED_BYTES_PER_TOKEN)


def groups_of(shards: Sequence[Shard], tokens_per_file: int) -> list[Group]:
    """Consecutive shards, in the order given, until their estimated tokens reach `tokens_per_file`."""
    groups: list[Group] = []
    gathered: list[Shard] = []
    tokens = 0.0
    for shard in shards:
        gathered.append(shard)
        tokens += estimated_tokens(shard)
        if tokens >= tokens_per_file:
            groups.append(Group(number=len(groups), shards=tuple(gathered)))
            gathered, tokens = [], 0.0
    return [*groups, Group(number=len(groups), shards=tuple(gathered))] if gathered else groups


def in_one_go(groups: Sequence[Group], workers: int) -> int:
    """How many groups, from the first on, to give to one worker each as a whole, so that the last of `workers` ends soonest.

    The others, at most as many as workers, are encoded shard by shard, which keeps all workers busy to the end, and packed then:
    their tokens are written twice.
    """
    sizes = [group.estimated_tokens for group in groups]
    surely = max(0, len(sizes) - workers)
    loads = [0.0] * workers  # of whole groups, as a heap
    for size in sizes[:surely]:
        heapq.heapreplace(loads, loads[0] + size)
    times = {}
    for whole in range(surely, len(sizes) + 1):
        rest = sizes[whole:]
        times[whole] = max(max(loads), (sum(loads) + sum(rest)) / workers) + _PACKING_SHARE * max(rest, default=0.0)
        if rest:
            heapq.heapreplace(loads, loads[0] + rest[0])
    return min(times, key=lambda whole: (times[whole], -whole))
