"""A text in a mix's tokens: a scan of all of them at memory speed, exact about bytes.

It finds the text wherever tokens spell it, however they cut it: also inside words, and where the tokens at its two ends hold
more than the text. (A search for the text's own tokens misses all that: what a text is cut into depends on its neighbours.)
A match lies in one document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dolmino_cli.errors import ConfigError
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.counters import Counters, advance
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.kernels.find_text import alignments, find_text
from dolmino_cli.mix.tracing.opened import OpenMix
from dolmino_cli.tokenizer.pieces import Pieces

PRELOAD = ("dolmino_cli.mix.tracing.find_text",)
_SAMPLE_TOKENS = 1 << 20
_ANCHORS_TRIED = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Wanted:
    """A text made ready to be searched for: its bytes, and how each token of the vocabulary can cover its anchor."""

    text: np.ndarray
    pieces: Pieces
    eos_id: int
    flags: np.ndarray
    first: np.ndarray
    begins: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Match:
    """Where a text begins: token `offset` of part number `part`, at byte `byte` of what that token stands for."""

    part: int
    offset: int
    byte: int


@dataclass(frozen=True, kw_only=True)
class Searched:
    """How far a search is: `times` and `matches` (the first of them) are of the parts up to the first that is not done."""

    parts: int
    """Done."""
    times: int
    matches: tuple[Match, ...]


@dataclass(frozen=True, kw_only=True)
class _Task:
    mix: OpenMix
    part: int
    wanted: Wanted
    most: int


def prepare(mix: OpenMix, text: str, pieces: Pieces) -> Wanted:
    """Work out how tokens can spell a text. Raises ConfigError for an empty one.

    The anchor is the byte whose covering tokens are rarest in the first part's beginning.
    """
    if not text:
        raise ConfigError("--text is empty; give some characters to search for")
    wanted = np.frombuffer(text.encode(), np.uint8)
    eos_id = mix.lock.tokenizer.eos_id
    vocabulary = len(pieces.offsets) - 1
    sample = mix.token_ids(0, 0, min(_SAMPLE_TOKENS, mix.parts[0].tokens))
    seen = np.bincount(sample[sample < vocabulary], minlength=vocabulary)
    tried = np.unique(np.linspace(0, len(wanted) - 1, _ANCHORS_TRIED).astype(np.int64))
    ways = [alignments(wanted, anchor, pieces.data, pieces.offsets, eos_id) for anchor in tried.tolist()]
    ids, begins = min(ways, key=lambda way: int(seen[np.unique(way[0])].sum()))
    first = np.searchsorted(ids, np.arange(vocabulary + 1)).astype(np.int64)
    flags = np.append(np.diff(first) > 0, False).astype(np.uint8)
    return Wanted(text=wanted, pieces=pieces, eos_id=eos_id, flags=flags, first=first, begins=begins)


def search(mix: OpenMix, wanted: Wanted, *, limit: int, workers: int, counters: Counters | None = None) -> Iterator[Searched]:
    """What is found so far, after every part.

    The search ends with the parts, or when `limit` matches are known to be the first of the mix: the same ones for any number
    of workers. `counters` get a document per part and its bytes.
    """
    tasks = [_Task(mix=mix, part=part, wanted=wanted, most=limit) for part in range(len(mix.parts))]
    done: dict[int, tuple[list[Match], int]] = {}
    reached, count = 0, 0
    matches: tuple[Match, ...] = ()
    phase = Phase(name="search", name_of=lambda task: f"{task.part:05d}")
    for task, found in attempt_all(
        Local(workers=workers), _search_part, tasks, phase=phase, what="parts", counters=counters, preload=PRELOAD
    ):
        done[task.part] = found
        while reached in done:
            more, times = done[reached]
            matches, count, reached = (*matches, *more)[:limit], count + times, reached + 1
        yield Searched(parts=len(done), times=count, matches=matches)
        if len(matches) >= limit:
            return


def _search_part(task: _Task) -> tuple[list[Match], int]:
    part, wanted = task.mix.parts[task.part], task.wanted
    tokens = task.mix.token_ids(task.part, 0, part.tokens)
    text, pieces = wanted.text, wanted.pieces
    rows, count = find_text(
        tokens, text, pieces.data, pieces.offsets, wanted.eos_id, wanted.flags, wanted.first, wanted.begins, task.most
    )
    advance(documents=1, bytes=part.bytes)
    return [Match(part=task.part, offset=offset, byte=byte) for offset, byte in rows.tolist()], int(count)
