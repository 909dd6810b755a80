"""What a benchmark says: rows per contender, with steady state apart from start-up, and ratios against bars; as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from measure import Timing


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A measured value and the bound it is held to (None: reported only)."""

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        """Whether the value is within its bound."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    def cells(self) -> tuple[str, ...]:
        """What, value, bar, verdict."""
        bound = ""
        if self.at_least is not None:
            bound = f">= {self.at_least:g}"
        elif self.at_most is not None:
            bound = f"<= {self.at_most:g}"
        verdict = ("met" if self.met else "MISSED") if bound else "reported"
        return self.what, f"{self.value:.3g} {self.unit}", f"{bound} {self.unit}" if bound else "", verdict


@dataclass(frozen=True, kw_only=True)
class Section:
    """One benchmark's result."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    bars: Sequence[Bar]
    notes: Sequence[str] = field(default=())

    def markdown(self, *, measured: str = "") -> str:
        """The section as Markdown. `measured`: when, on what and how, where that is not said above all sections."""
        parts = [f"### {self.title}", *([measured] if measured else []), _table(self.header, self.rows)]
        parts += [_table(("compared", "measured", "bar", ""), [bar.cells() for bar in self.bars])] if self.bars else []
        return "\n\n".join([*parts, *self.notes]) + "\n"


@dataclass(frozen=True, kw_only=True)
class Steady:
    """Two sizes of input of one contender, taken apart: MB/s once it runs, and the seconds that it costs to start."""

    mb_per_second: float
    start_up_seconds: float


def steady(small: Timing, large: Timing, small_mb: float, large_mb: float) -> Steady | None:
    """From the median times on two sizes: the slope, and what is left of the small run's time. None: lost in the noise."""
    seconds = large.median - small.median
    if seconds <= 0:
        return None
    slope = seconds / (large_mb - small_mb)
    return Steady(mb_per_second=1 / slope, start_up_seconds=small.median - slope * small_mb)


TIMING_HEADER = ("command", "processes", "MB", "wall s (range)", "MB/s", "steady MB/s", "start-up s", "peak MB")


def timing_rows(timings: Sequence[Timing], megabytes: dict[int, float]) -> list[tuple[str, ...]]:
    """A row per contender, number of processes and size of input, but for the smallest; `megabytes` per number of shards."""
    rows = []
    for name, cores in dict.fromkeys((timing.name, timing.cores) for timing in timings):
        small, *larger = by_size(timings, name, cores)
        for timing in larger or [small]:
            size = megabytes[timing.shards]
            pace = steady(small, timing, megabytes[small.shards], size)
            spread = f"{timing.median:.2f} ({min(timing.seconds):.2f}-{max(timing.seconds):.2f})"
            apart = (f"{pace.mb_per_second:.1f}", f"{pace.start_up_seconds:.2f}") if pace else ("noise", "noise")
            rows.append((name, str(cores), f"{size:.1f}", spread, f"{size / timing.median:.1f}", *apart, f"{timing.peak_mb:.0f}"))
    return rows


def by_size(timings: Sequence[Timing], name: str, cores: int) -> list[Timing]:
    """The runs of a contender, the smallest input first."""
    return sorted(
        (timing for timing in timings if (timing.name, timing.cores) == (name, cores)), key=lambda timing: timing.shards
    )


def ends(timings: Sequence[Timing], name: str, cores: int) -> tuple[Timing, Timing]:
    """The runs of a contender on its smallest and on its largest input."""
    own = by_size(timings, name, cores)
    return own[0], own[-1]


def steady_bars(timings: Sequence[Timing], ours: str, others: Sequence[str], megabytes: dict[int, float]) -> list[Bar]:
    """How many times as fast as the others ours is with one process, start-up left out; reported only."""

    def pace(name: str) -> Steady | None:
        small, large = ends(timings, name, 1)
        return steady(small, large, megabytes[small.shards], megabytes[large.shards])

    own = pace(ours)
    paces = {name: pace(name) for name in others}
    return [
        Bar(what=f"{ours} / {name}, 1 process, steady state", value=own.mb_per_second / other.mb_per_second, unit="x")
        for name, other in paces.items()
        if own and other
    ]


def find(timings: Sequence[Timing], name: str, cores: int, shards: int) -> Timing:
    """The run of a contender on one job."""
    return next(timing for timing in timings if (timing.name, timing.cores, timing.shards) == (name, cores, shards))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(header), ["---"] * len(header), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
