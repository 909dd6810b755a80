"""Selecting and ordering rows: the same for any table size, from one reading of every index, within the memory that was given."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.executors.local import Local
from dolmino_cli.kernels.keyed_hash import hash_strings
from dolmino_cli.mix.keys import order_key, selection_key
from dolmino_cli.mix.plan import MixPlan, PlannedSource, Population
from dolmino_cli.mix.reading import Documents, SourceFile
from dolmino_cli.mix.sampling import choose, memory
from dolmino_cli.mix.sampling.choose import Survey, choose_and_keep
from dolmino_cli.mix.sampling.gather import gather
from dolmino_cli.mix.sampling.memory import Budget
from dolmino_cli.mix.sampling.mix_rows import MixedRows, mix_rows
from dolmino_cli.tokens.arrays import ArrayFile

FILES, FILE_DOCUMENTS = 3, 4_000
IDS = pa.array([f"document-{i}" for i in range(FILES * FILE_DOCUMENTS)], pa.large_string())
EVEN = np.random.default_rng(0).integers(1, 1000, len(IDS))
RANKS = hash_strings(IDS, selection_key(42, "web"))
# The smallest hashes are those of documents without tokens to speak of: a quarter of the tokens needs half of the hashes.
UNEVEN = np.where(RANKS >> np.uint64(62) == 0, 1, 1000)


class Rows:
    """Reads files that do not exist, and counts how often."""

    def __init__(self, lengths: np.ndarray) -> None:
        self.lengths = lengths.astype(np.int64)
        self.read = 0

    def files(self) -> list[SourceFile]:
        found = []
        for number in range(FILES):
            tokens = int(self.lengths[number * FILE_DOCUMENTS : (number + 1) * FILE_DOCUMENTS].sum())
            array = ArrayFile(
                name=f"{number}.npy", tokens=tokens, documents=FILE_DOCUMENTS, bytes=4 * tokens, sha256="", index_sha256=""
            )
            found.append(SourceFile(source="web", number=number, root="nowhere", array=array, dtype="uint32"))
        return found

    def __call__(self, file: SourceFile) -> Iterator[Documents]:
        self.read += 1
        begin, position = file.number * FILE_DOCUMENTS, 0
        for first in range(begin, begin + FILE_DOCUMENTS, 700):
            rows = slice(first, min(first + 700, begin + FILE_DOCUMENTS))
            loc = pa.array(np.arange(rows.start, rows.stop) + 1)
            lengths = self.lengths[rows]
            src = pa.array(["s"] * len(lengths), pa.large_string())
            yield Documents(first_row=first - begin, first_token=position, id=IDS[rows], src=src, loc=loc, lengths=lengths)
            position += int(lengths.sum())


def plan_of(reader: Rows, share: float) -> MixPlan:
    tokens = int(reader.lengths.sum())
    population = Population(tokens=tokens, documents=len(IDS), kind="arrays")
    taken = int(tokens * share)
    source = PlannedSource(name="web", available=population, tokens=taken, mix_tokens=taken, expected_mix_percent=None)
    return MixPlan(name="rows", scale=1.0, sources=(source,), expected_groups={})


def mixed(reader: Rows, scratch: Path, share: float, tokens_per_file: int = 300_000) -> MixedRows:
    scratch.mkdir()
    how = {"seed": 42, "tokens_per_file": tokens_per_file, "scratch": scratch, "budget": Budget()}
    return mix_rows(plan_of(reader, share), reader.files(), reader=reader, check_tokens=False, executor=Local(), **how)  # type: ignore[arg-type]


def order_of(rows: MixedRows) -> list[tuple[str, int, int, int]]:
    """(id, copy, file, offset) of every document of the mix, part by part."""
    found = []
    for _, slices in rows.parts(["web"]):
        part = gather(slices)
        columns = part.id.to_pylist(), part.copy.tolist(), part.file.tolist(), part.offsets.tolist()
        found += list(zip(*columns, strict=True))
    return found


def defined(lengths: np.ndarray, share: float) -> list[tuple[str, int, int, int]]:
    """The same by sorting everything."""
    passes, rest = divmod(int(lengths.sum() * share), int(lengths.sum()))
    by_rank = np.argsort(RANKS, kind="stable")
    partial = by_rank[: int(np.searchsorted(np.cumsum(lengths[by_rank]), rest)) + 1] if rest else by_rank[:0]
    starts = np.cumsum(lengths) - lengths
    offsets = starts - np.repeat(starts[::FILE_DOCUMENTS], FILE_DOCUMENTS)
    placed = []
    for copy, taken in enumerate([*[np.arange(len(IDS))] * passes, partial]):
        keys = hash_strings(IDS.take(pa.array(taken)), order_key(42, "web", copy))
        for key, i in zip(keys.tolist(), taken.tolist(), strict=True):
            placed.append((key, (IDS[i].as_py(), copy, i // FILE_DOCUMENTS, int(offsets[i]))))
    return [document for _, document in sorted(placed)]


@pytest.mark.parametrize("share", [0.003, 0.3, 1.0, 1.2])
@pytest.mark.parametrize(("table_bytes", "small"), [(64 << 20, 1 << 18), (10_000, 0)])
def test_the_order_is_the_defined_one_and_every_index_is_read_once(
    tmp_path: Path, share: float, table_bytes: int, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MOST_TABLE_BYTES", table_bytes)
    monkeypatch.setattr(choose, "SMALL_SOURCE_DOCUMENTS", small)
    reader = Rows(EVEN)
    rows = mixed(reader, tmp_path / "scratch", share)
    assert order_of(rows) == defined(EVEN, share)
    assert reader.read == FILES
    if share == 0.3 and not small:
        assert len(rows.runs) > FILES


def test_a_source_with_uneven_hashes_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "SMALL_SOURCE_DOCUMENTS", 0)
    reader = Rows(UNEVEN)
    assert order_of(mixed(reader, tmp_path / "scratch", 0.2)) == defined(UNEVEN, 0.2)
    assert reader.read == 2 * FILES


@pytest.mark.parametrize(("lengths", "readings"), [(EVEN, 1), (UNEVEN, 2)])
def test_the_selection_alone_is_the_same_and_keeps_only_what_lies_around_its_end(
    tmp_path: Path, lengths: np.ndarray, readings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "SMALL_SOURCE_DOCUMENTS", 0)
    for share in (0.003, 0.2, 1.0, 1.2):
        whole = mixed(Rows(lengths), tmp_path / f"whole {share}", share)
        reader, scratch = Rows(lengths), tmp_path / f"alone {share}"
        scratch.mkdir()
        how = Survey(seed=42, scratch=scratch, check_tokens=False, keep_taken=False, reader=reader)
        alone = choose_and_keep(plan_of(reader, share), reader.files(), how, Local())
        assert alone.selections == whole.selections
        if share == 0.2:
            assert reader.read == readings * FILES
            if readings == 1:
                assert sum(table.documents for table in alone.tables["web"]) < 0.05 * len(IDS)


def test_the_size_of_parts_changes_where_they_are_cut_and_nothing_else(tmp_path: Path) -> None:
    orders = [order_of(mixed(Rows(EVEN), tmp_path / str(size), 0.5, size)) for size in (10_000, 1_000_000, 10**9)]
    assert orders[0] == orders[1] == orders[2]


def test_a_million_rows_stay_within_the_memory_given(tmp_path: Path) -> None:
    script = Path(__file__).parents[3] / "benchmarks" / "kernels" / "our_rows.py"
    given_mib = (memory.PROCESS_BYTES >> 20) + 80
    command = [sys.executable, str(script), "1000000", str(given_mib), str(tmp_path / "scratch")]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(run.stdout)
    assert result["runs"] > 1
    assert result["peak_mb"] * 1e6 < given_mib << 20


def test_too_little_memory_is_refused_with_what_would_do() -> None:
    with pytest.raises(
        ConfigError, match=r"^100MiB of memory is too little for 2 workers; give --memory \d+MiB or more, or fewer"
    ):
        Budget(memory_bytes=100 << 20, workers=2)
    budget = Budget(memory_bytes=3 << 29, workers=2)
    budget.check_part(64_000_000, 1 / 1000)
    with pytest.raises(ConfigError, match=r"^parts of 64,000,000 tokens have about 6,721,000 documents") as caught:
        budget.check_part(64_000_000, 1 / 10)
    words = str(caught.value).split()
    larger = int(words[words.index("give") + 2].removesuffix("MiB,")) << 20
    Budget(memory_bytes=larger, workers=2).check_part(64_000_000, 1 / 10)
    budget.check_part(int(words[words.index("--tokens-per-file") + 1]), 1 / 10)
