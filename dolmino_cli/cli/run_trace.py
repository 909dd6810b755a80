"""What `dolmino trace` does after parsing: open the mix, answer the one question that was asked, print it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dolmino_cli.cli.console import counted, remark, show
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.tracing.excerpt import load_pieces
from dolmino_cli.mix.tracing.opened import open_mix
from dolmino_cli.mix.tracing.places import parse_at
from dolmino_cli.mix.tracing.trace import Tracer, windows_in
from dolmino_cli.mix.tracing.trainer_order import TrainerOrder
from dolmino_cli.mix.windows import MOST_SEQUENCE_LENGTH
from dolmino_cli.report.amounts import big_bytes, duration

if TYPE_CHECKING:
    from rich.table import Table

# Above this the order takes more than a second: 10 M windows of 4,096 tokens are 41B tokens.
_MANY_WINDOWS = 10_000_000
_WINDOWS_PER_SECOND = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The question: exactly one of the first six; `rank` and `row` go with `step`."""

    at: str | None
    token: int | None
    window: int | None
    step: int | None
    find: str | None
    text: str | None
    rank: int | None
    row: int | None

    @property
    def shows_text(self) -> bool:
        """Is the answer more than numbers?"""
        return self.step is None or self.row is not None

    def __post_init__(self) -> None:
        names = ("at", "token", "window", "step", "find", "text")
        given = [f"--{name}" for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            told = f"{' and '.join(given)} given" if given else "nothing asked"
            raise ConfigError(f"{told}; give one of {', '.join(f'--{name}' for name in names)}")
        for name, value in (("find", self.find), ("text", self.text)):
            if value is not None and not value.isascii() and value != value.encode("utf-8", "ignore").decode():
                raise ConfigError(f"--{name} {value!r} is not UTF-8; no document has such an id or text")
        if self.step is None and (self.rank is not None or self.row is not None):
            raise ConfigError(f"--rank and --row are of a step, {given[0]} is none; leave them out, or ask for --step")
        if self.row is not None and self.rank is None:
            raise ConfigError("--row is of a rank; give --rank too (and --world-size)")


@dataclass(frozen=True, kw_only=True)
class Training:
    """What decides the trainer's order, as it was given."""

    seed: int | None
    batch: int | None
    world_size: int
    epochs: int
    sequence_length: int | None

    def __post_init__(self) -> None:
        if self.sequence_length is not None and not 1 <= self.sequence_length <= MOST_SEQUENCE_LENGTH:
            raise ConfigError(f"--sequence-length is {self.sequence_length}; it must be 1 to {MOST_SEQUENCE_LENGTH:,}")

    def order(self, windows: int, *, needed: bool) -> TrainerOrder | None:
        """The order, or None where nothing was said of it and it is not needed. Raises ConfigError for half of it."""
        if self.seed is None and self.batch is None and not needed:
            return None
        if self.seed is None or self.batch is None:
            missing = " and ".join(name for name, value in (("--seed", self.seed), ("--batch", self.batch)) if value is None)
            raise ConfigError(f"the trainer's order needs {missing} too: its seed and its windows per step")
        return TrainerOrder(
            windows=windows, seed=self.seed, batch_sequences=self.batch, world_size=self.world_size, epochs=self.epochs
        )


def run_trace(
    place: str,
    asked: Asked,
    training: Training,
    *,
    tokenizer: str | None,
    documents: tuple[str, ...],
    context: int | None,
    limit: int,
    workers: int,
    json: bool,
) -> None:
    """Answer and print. Raises DolminoError."""
    mix = open_mix(place)
    length = training.sequence_length or mix.lock.sequence_length
    windows = windows_in(mix, length)
    order = training.order(windows, needed=asked.step is not None)
    if order is not None and windows >= _MANY_WINDOWS:
        remark(f"ordering {windows:,} windows: about {duration(windows / _WINDOWS_PER_SECOND)}")
    pieces = None
    if asked.shows_text or tokenizer is not None:
        pieces, why_not = load_pieces(mix.lock.tokenizer, tokenizer)
        if pieces is None:
            remark(f"note: {why_not}")
    tracer = Tracer(mix=mix, sequence_length=length, pieces=pieces, order=order, documents_roots=documents, context=context)
    _print(_answers(tracer, asked, limit=limit, workers=workers), tracer, json=json)


def _answers(tracer: Tracer, asked: Asked, *, limit: int, workers: int) -> Iterator[Any]:
    """What was found, one traced thing after another."""
    if asked.at is not None:
        yield tracer.token(parse_at(tracer.mix, asked.at))
    elif asked.token is not None:
        yield tracer.token(asked.token)
    elif asked.window is not None:
        yield tracer.window(asked.window)
    elif asked.step is not None and asked.row is not None:
        assert tracer.order is not None
        yield tracer.window(int(tracer.order.windows_of_step(asked.step, rank=asked.rank, row=asked.row)[0]))
    elif asked.step is not None:
        yield tracer.step(asked.step, rank=asked.rank)
    elif asked.find is not None:
        found = tracer.id(asked.find)
        if found.documents or len(asked.find.split()) == 1:
            yield found
            if not found.documents:
                remark(f"to search for it as a text: --text {asked.find!r}")
            return
        remark(f"no document of the mix has the id {asked.find!r}; searching for it as a text")
        yield from _places_of_text(tracer, asked.find, limit=limit, workers=workers)
    else:
        assert asked.text is not None
        yield from _places_of_text(tracer, asked.text, limit=limit, workers=workers)


def _places_of_text(tracer: Tracer, text: str, *, limit: int, workers: int) -> Iterator[Any]:
    from dolmino_cli.executors.counters import Counters
    from dolmino_cli.mix.tracing.find_text import (
        Searched,
        prepare,
        search,
    )  # compiled code: 0.3 s that the other questions need not wait for

    mix = tracer.mix
    if tracer.pieces is None:
        raise ConfigError("a text can be searched for with the mix's tokenizer only; give it as --tokenizer PATH")
    remark(f"searching all {big_bytes(sum(part.bytes for part in mix.parts))} of tokens in {len(mix.parts):,} parts (a scan)")
    counters, started, found = Counters(workers=workers), time.monotonic(), Searched(parts=0, times=0, matches=())
    with counted("searching", total=len(mix.parts), unit="parts") as say:
        for found in search(mix, prepare(mix, text, tracer.pieces), limit=limit, workers=workers, counters=counters):
            rate = counters.read()[1] / max(time.monotonic() - started, 1e-9)
            say(found.parts, f"{big_bytes(rate)}/s, found {found.times:,} times")
    shown = f"{len(found.matches):,} shown (--limit)"
    if found.parts < len(mix.parts):
        remark(f"stopped after {found.parts:,} of {len(mix.parts):,} parts: the first {shown}")
    else:
        remark(f"found {found.times:,} times in the whole mix" + (f"; the first {shown}" if found.times > limit else ""))
    for match in found.matches:
        yield tracer.match(match, text)


def _print(answers: Iterable[Any], tracer: Tracer, *, json: bool) -> None:
    for number, answer in enumerate(answers):
        if json:
            import msgspec

            show(msgspec.json.encode(dataclasses.asdict(answer)).decode())
            continue
        for place, table in enumerate(_tables(answer, tracer)):
            if number or place:
                show("")
            show(table)


def _tables(answer: Any, tracer: Tracer) -> list[Table | str]:
    from dolmino_cli.mix.tracing.trace import TracedId, TracedStep, TracedToken, TracedWindow
    from dolmino_cli.report.trace import id_tables, step_table, token_table, window_tables

    match answer:
        case TracedToken():
            return [token_table(answer, tracer)]
        case TracedWindow():
            return [*window_tables(answer, tracer)]
        case TracedStep():
            return [step_table(answer, tracer)]
        case TracedId():
            return id_tables(answer, tracer)
    raise AssertionError(f"{answer!r} has no table")
