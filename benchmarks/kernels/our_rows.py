"""Select and order documents that are an id and a length: the rows of a mix, without tokens. Prints JSON.

Usage: our_rows.py DOCUMENTS MEMORY_MIB SCRATCH
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import dolmino_cli.executors.imported_first  # noqa: F401 - as the command does
from dolmino_cli.executors.local import Local
from dolmino_cli.mix.plan import MixPlan, PlannedSource, Population
from dolmino_cli.mix.reading import Documents, SourceFile
from dolmino_cli.mix.sampling.gather import gather
from dolmino_cli.mix.sampling.memory import Budget
from dolmino_cli.mix.sampling.mix_rows import mix_rows
from dolmino_cli.tokens.arrays import ArrayFile

FILE_DOCUMENTS = 1_000_000
BLOCK_DOCUMENTS = 50_000  # as many as a block of a real index has
TOKENS_PER_FILE = 64_000_000
SHARE = 99  # percent: a partial pass that takes nearly all


def lengths_of(first: int, stop: int) -> np.ndarray:
    """Tokens of documents `first` up to before `stop`: 1 to 1,600, as if at random."""
    scattered = np.arange(first, stop, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (scattered >> np.uint64(40)).astype(np.int64) % 1600 + 1


def _text(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())


def read(file: SourceFile) -> Iterator[Documents]:
    """The documents of one file, as `reading.read_documents` gives those of a real one."""
    begin, position = file.number * FILE_DOCUMENTS, 0
    for first in range(begin, begin + file.array.documents, BLOCK_DOCUMENTS):
        stop = min(first + BLOCK_DOCUMENTS, begin + file.array.documents)
        numbers, lengths = pa.array(np.arange(first, stop)), lengths_of(first, stop)
        ids = pc.binary_join_element_wise(_text("document-"), pc.cast(numbers, pa.large_string()), _text(""))
        src = pa.array([f"shard-{file.number:05d}.jsonl.zst"], pa.large_string()).take(pa.array(np.zeros(stop - first, np.int8)))
        yield Documents(
            first_row=first - begin, first_token=position, id=ids, src=src, loc=pc.add(numbers, 1 - begin), lengths=lengths
        )
        position += int(lengths.sum())


def make_files(documents: int) -> list[SourceFile]:
    """Files of a million documents each."""
    files = []
    for number, first in enumerate(range(0, documents, FILE_DOCUMENTS)):
        stop = min(first + FILE_DOCUMENTS, documents)
        tokens = int(lengths_of(first, stop).sum())
        array = ArrayFile(
            name=f"part-{number:05d}.npy", tokens=tokens, documents=stop - first, bytes=4 * tokens, sha256="", index_sha256=""
        )
        files.append(SourceFile(source="web", number=number, root="nowhere", array=array, dtype="uint32"))
    return files


def plan_of(files: list[SourceFile]) -> MixPlan:
    """SHARE percent of them."""
    tokens = sum(file.array.tokens for file in files)
    taken = tokens * SHARE // 100
    population = Population(tokens=tokens, documents=sum(file.array.documents for file in files), kind="arrays")
    source = PlannedSource(name="web", available=population, tokens=taken, mix_tokens=taken, expected_mix_percent=None)
    return MixPlan(name="rows", scale=1.0, sources=(source,), expected_groups=dict[str, Fraction]())


def main(documents: int, memory_mib: int, scratch: Path) -> None:
    """Read, select, sort, and merge every part's rows."""
    files, began, began_cpu = make_files(documents), time.perf_counter(), sum(os.times()[:4])
    seconds: dict[str, float] = {}

    def watch(what: str, total: int, unit: str) -> AbstractContextManager[object]:
        seconds[what] = time.perf_counter() - began
        return nullcontext(lambda done, more: None)

    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    budget = Budget(memory_bytes=memory_mib << 20)
    mixed = mix_rows(
        plan_of(files), files, seed=42, tokens_per_file=TOKENS_PER_FILE, scratch=scratch, budget=budget,
        executor=Local(), reader=read, check_tokens=False, watch=watch,
    )  # fmt: skip
    sorted_after = time.perf_counter() - began
    scratch_bytes = sum(path.stat().st_size for path in scratch.iterdir())
    count, tokens, last_key = 0, 0, -1
    for _, slices in mixed.parts(["web"]):
        rows = gather(slices)
        assert int(rows.keys[0]) >= last_key
        last_key = int(rows.keys[-1])
        count, tokens = count + len(rows.keys), tokens + int(rows.lengths.sum())
    assert (count, tokens) == (mixed.selections["web"].documents, mixed.tokens)
    total, cpu = time.perf_counter() - began, sum(os.times()[:4]) - began_cpu
    shutil.rmtree(scratch)
    # Not getrusage's maximum, which begins with what the parent process held when it started this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    result = {
        "documents": documents,
        "taken": count,
        "parts": mixed.part_count,
        "runs": len(mixed.runs),
        "seconds": total,
        "cpu": cpu,
    }
    result |= {"select": seconds["sort"], "sort": sorted_after - seconds["sort"], "merge": total - sorted_after}
    result |= {"peak_mb": peak_mb, "scratch_bytes": scratch_bytes}
    print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
