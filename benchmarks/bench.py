"""What every benchmark is given: the input, where to write, which executables, how many runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus import ROOT
from inputs import Inputs
from measure import Contender, Job, Timing, interleave

HERE = Path(__file__).resolve().parent
# Shards. The difference of the times of SMALL and LARGE is the steady state; with MOST, start-up does not weigh.
SMALL, LARGE, MOST = 1, 4, 48


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One session of measuring."""

    inputs: Inputs
    output: Path
    runs: int
    passes: int = 5  # of in-memory kernels

    @property
    def dolmino(self) -> str:
        """Our command."""
        return str(Path(sys.executable).parent / "dolmino")

    @property
    def environment(self) -> dict[str, str]:
        """Ours: a cache of its own, so that a run neither finds nor leaves anything elsewhere."""
        return {"DOLMINO_CACHE": str(self.output / "cache")}

    def peer(self, environment: str, executable: str) -> str:
        """An executable of a peer's environment. Exits with the command that makes it when it is missing."""
        path = self.output / "peers" / environment / "bin" / executable
        if not path.exists():
            sys.exit(f"{path.relative_to(ROOT)} is missing; run: sh benchmarks/make_peers.sh")
        return str(path)

    def jobs(self, contender: Contender, sizes: Sequence[tuple[int, int]]) -> list[Job]:
        """A job per (shards, cores), each with a folder of its own to write to."""
        name = "".join(letter if letter.isalnum() else "-" for letter in contender.name)
        runs = self.output / "runs"
        return [
            Job(documents=self.inputs.folder(shards), shards=shards, cores=cores, output=runs / f"{name}-x{shards}-p{cores}")
            for shards, cores in sizes
        ]

    def compare(self, contenders: Sequence[Contender], sizes: Callable[[Contender], Sequence[tuple[int, int]]]) -> list[Timing]:
        """Interleaved timings of the contenders on their (shards, cores)."""
        return interleave(contenders, lambda contender: self.jobs(contender, sizes(contender)), runs=self.runs)


def usual_sizes(_: Contender) -> list[tuple[int, int]]:
    """(shards, cores): one process on a small and a large input, two processes likewise."""
    return [(SMALL, 1), (LARGE, 1), *([(2 * SMALL, 2), (LARGE, 2)] if len(os.sched_getaffinity(0)) > 1 else [])]


def also_most(contender: Contender) -> list[tuple[int, int]]:
    """`usual_sizes`, and MOST shards by as many processes: for who is fast enough."""
    usual = usual_sizes(contender)
    return usual + [(MOST, cores) for cores in sorted({cores for _, cores in usual})]
