"""A sampled mix is exactly what the definition says, whatever the workers, the sharding, the chunks or the storage."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from dolmino_cli.bundled import find
from dolmino_cli.errors import ConfigError
from dolmino_cli.kernels.keyed_hash import hash_strings
from dolmino_cli.mix.keys import order_key, selection_key
from dolmino_cli.mix.manifest import load
from dolmino_cli.mix.sampling import copy_tokens, memory, mix_rows, survey, token_files
from dolmino_cli.mix.sampling.copy_tokens import TokenCopy
from dolmino_cli.mix.sampling.sample import SampleResult, sample
from dolmino_cli.tokens.arrays import TokenArrays
from tests.mix.make import (
    Document,
    contents,
    documents_of,
    mix_files,
    read_arrays,
    read_lock,
    write_arrays,
    write_manifest,
    write_uniform_arrays,
)
from tests.s3_server import S3Server

# 60 documents of 2 to 21 tokens; 7 of 5 to 11 tokens, taken two and a half times; one longer than any buffer of the test.
WEB = documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w")
MATH = documents_of(5, 6, 7, 8, 9, 10, 11, prefix="m", src='odd, "name".jsonl')
BOOK = documents_of(300, 3, prefix="b")
SHARES = {"web": "source_percent: 30", "math": "source_percent: 250", "book": "tokens: 303"}


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    for name, documents in (("web", WEB), ("math", MATH), ("book", BOOK)):
        write_arrays(tmp_path / "tokens" / name, documents, groups=3, tokens_per_file=100)
    return tmp_path / "tokens"


def run(folder: Path, tokens: Path, output: str = "mix", **options: object) -> SampleResult:
    manifest = write_manifest(folder / "small.yaml", **SHARES)
    return sample(manifest, output=str(folder / output), arrays_root=str(tokens), tokens_per_file=200, **options)  # type: ignore[arg-type]


def key(text: str, under: bytes) -> int:
    return int(hash_strings(pa.array([text], pa.large_string()), under)[0])


def defined_mix(sources: dict[str, list[Document]], targets: dict[str, int], seed: int) -> list[Document]:
    """The definition of design.md, one document at a time."""
    placed = []
    for name, documents in sources.items():
        passes, rest = divmod(targets[name], sum(len(document.tokens) for document in documents))
        copies = [documents] * passes
        ranked = sorted(documents, key=lambda document: key(document.id, selection_key(seed, name)))
        partial: list[Document] = []
        while sum(len(document.tokens) for document in partial) < rest:
            partial.append(ranked[len(partial)])
        for copy, taken in enumerate([*copies, partial]):
            for document in taken:
                place = key(document.id, order_key(seed, name, copy))
                placed.append((place, Document(document.id, document.tokens, f"{name}:{document.src}", document.loc)))
    return [document for _, document in sorted(placed, key=lambda item: item[0])]


def test_a_mix_is_what_the_definition_says(tmp_path: Path, tokens: Path) -> None:
    result = run(tmp_path, tokens)
    targets = {row.name: row.tokens for row in result.plan.sources}
    web_tokens = sum(len(document.tokens) for document in WEB)
    assert targets == {"web": round(0.3 * web_tokens), "math": 140, "book": 303}
    expected = defined_mix({"web": WEB, "math": MATH, "book": BOOK}, targets, 42)
    assert read_arrays(tmp_path / "mix") == expected
    assert Counter(document.src.split(":")[0] for document in expected) == {
        name: row.taken_documents for name, row in result.lock.sources.items()
    }
    arrays = TokenArrays.open(str(tmp_path / "mix"))
    assert len(arrays.files) == -(-sum(row.taken_tokens for row in result.lock.sources.values()) // 200)
    assert arrays.options == {"strip": True, "tokens_per_file": 200}
    assert sorted(contents(tmp_path / "mix")) == sorted(
        ["arrays.json", "small.lock.json", *(name for part in result.lock.outputs or [] for name in part.file_names)]
    )


def test_neither_workers_nor_sharding_nor_buffers_change_a_byte(
    tmp_path: Path, tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, tokens)
    run(tmp_path, tokens, "four", workers=4)
    assert contents(tmp_path / "four") == contents(tmp_path / "mix")  # the lock too
    for name, documents in (("web", WEB), ("math", MATH), ("book", BOOK)):
        write_arrays(tmp_path / "one file" / name, documents, tokens_per_file=10**6)
    monkeypatch.setattr(token_files, "SLAB_BYTES", 64)
    monkeypatch.setattr(token_files, "_MOST_OPEN", 2)
    monkeypatch.setattr(copy_tokens, "BLOCK_BYTES", 100)
    monkeypatch.setattr(memory, "_MOST_TABLE_BYTES", 1)
    for name, copy_sources in (("resharded", False), ("copied", True)):
        run(tmp_path, tmp_path / "one file", name, copy_sources=copy_sources)
        assert mix_files(tmp_path / name) == mix_files(tmp_path / "mix")
    run(tmp_path, tokens, "small pieces", copy_sources=True)
    assert mix_files(tmp_path / "small pieces") == mix_files(tmp_path / "mix")


def test_of_sources_too_large_for_the_machine_the_little_that_is_taken_is_copied(
    tmp_path: Path, tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, tokens)
    copied = []
    monkeypatch.setattr(mix_rows, "_memory_of_the_machine", lambda: 100)
    monkeypatch.setattr(survey, "TokenCopy", lambda file, path: copied.append(file.source) or TokenCopy(file, path))
    run(tmp_path, tokens, "sparse")
    assert set(copied) == {"web"}  # 30 % of it; of the others, more than half
    assert mix_files(tmp_path / "sparse") == mix_files(tmp_path / "mix")


def test_every_achieved_source_percent_is_within_one_document(tmp_path: Path, tokens: Path) -> None:
    for scale in (0.01, 0.2, 0.5, 1.0, 1.7):
        result = run(tmp_path, tokens, f"mix-{scale}", scale=scale)
        for planned, achieved in result.rows:
            assert achieved.target_tokens == planned.tokens
            longest = max(len(document.tokens) for document in {"web": WEB, "math": MATH, "book": BOOK}[planned.name])
            assert 0 <= achieved.taken_tokens - planned.tokens < longest
            assert achieved.source_percent == pytest.approx(100 * achieved.taken_tokens / planned.available.tokens)
        assert sum(achieved.mix_percent for _, achieved in result.rows) == pytest.approx(100)


def test_a_smaller_mix_takes_a_subset_of_a_larger_one(tmp_path: Path) -> None:
    write_arrays(tmp_path / "tokens" / "web", WEB)
    before: Counter[str] = Counter()
    for percent in (3, 10, 50, 120, 250):
        manifest = write_manifest(tmp_path / "m.yaml", web=f"source_percent: {percent}", name=f"web-{percent}")
        sample(manifest, output=str(tmp_path / str(percent)), arrays_root=str(tmp_path / "tokens"))
        taken = Counter(document.id for document in read_arrays(tmp_path / str(percent)))
        assert before < taken
        before = taken


def test_the_documents_of_a_half_are_a_subset_of_those_of_the_whole(tmp_path: Path, tokens: Path) -> None:
    """As the 50B and the 100B mix: the same sources and seed, every share doubled."""
    taken = []
    for name, factor in (("50b", 1), ("100b", 2)):
        shares = {
            "web": f"source_percent: {30 * factor}",
            "math": f"source_percent: {125 * factor}",
            "book": f"tokens: {4 * factor}",
        }
        manifest = write_manifest(tmp_path / "m.yaml", name=name, **shares)
        sample(manifest, output=str(tmp_path / name), arrays_root=str(tokens), tokens_per_file=200)
        taken.append(Counter((document.id, document.src) for document in read_arrays(tmp_path / name)))
    assert taken[0] <= taken[1]
    assert taken[0] != taken[1]


def test_the_size_of_parts_does_not_change_the_order_of_documents(tmp_path: Path, tokens: Path) -> None:
    manifest = write_manifest(tmp_path / "small.yaml", **SHARES)
    orders = []
    for size in (50, 200, 10_000):
        sample(manifest, output=str(tmp_path / str(size)), arrays_root=str(tokens), tokens_per_file=size)
        orders.append(read_arrays(tmp_path / str(size)))
    assert orders[0] == orders[1] == orders[2]


def test_another_seed_takes_other_documents(tmp_path: Path) -> None:
    write_arrays(tmp_path / "tokens" / "web", WEB)
    taken = []
    for seed in (1, 2):
        manifest = write_manifest(tmp_path / "m.yaml", web="source_percent: 50", seed=seed)
        sample(manifest, output=str(tmp_path / str(seed)), arrays_root=str(tmp_path / "tokens"))
        taken.append([document.id for document in read_arrays(tmp_path / str(seed))])
    assert set(taken[0]) != set(taken[1])


def test_documents_of_equal_id_are_kept_and_counted(tmp_path: Path) -> None:
    twice = [*documents_of(4, 5, 6), *documents_of(7, 8, seed=1)]  # d0, d1, d2, d0, d1
    write_arrays(tmp_path / "tokens" / "web", twice)
    manifest = write_manifest(tmp_path / "m.yaml", web="source_percent: 200")
    result = sample(manifest, output=str(tmp_path / "mix"), arrays_root=str(tmp_path / "tokens"))
    assert Counter(document.tokens for document in read_arrays(tmp_path / "mix")) == {document.tokens: 2 for document in twice}
    assert result.lock.sources["web"].repeated_ids == 4  # d0 and d1, in each of two passes


def test_more_passes_than_a_copy_number_can_count_are_refused(tmp_path: Path) -> None:
    """Provenance has 16 bits for the copy; the 65,537th pass would have been called the first."""
    write_arrays(tmp_path / "tokens" / "m", documents_of(1, prefix="m"))
    manifest = write_manifest(tmp_path / "m.yaml", m="tokens: 65536")
    with pytest.raises(ConfigError, match=r"source 'm' would be taken more than 65,535 times over; give it a smaller share"):
        sample(manifest, output=str(tmp_path / "mix"), arrays_root=str(tmp_path / "tokens"))
    assert not (tmp_path / "mix").exists()


def test_a_mix_of_mix_percents_meets_its_total(tmp_path: Path, tokens: Path) -> None:
    manifest = write_manifest(tmp_path / "m.yaml", web="mix_percent: 75", math="mix_percent: 25", total=400)
    result = sample(manifest, output=str(tmp_path / "mix"), arrays_root=str(tokens))
    assert [(planned.tokens, achieved.whole_passes) for planned, achieved in result.rows] == [(300, 0), (100, 1)]


def test_the_scaled_50b_mix_hits_the_published_mix_percents(tmp_path: Path) -> None:
    """Arrays in the published proportions, at 5e-6 of their size, give the published mix."""
    manifest = load(find("mixes", "dolmino-1124-50b"))
    assert manifest.expect is not None
    for name, source in manifest.sources.items():
        assert source.published is not None
        # 30-token documents: 3.8M tokens of web, 6,300 of StackExchange, one document of GSM8K.
        documents = max(1, round(source.published.tokens * 5e-6 / 30))
        write_uniform_arrays(tmp_path / "tokens" / name, documents=documents, length=30, prefix=name)
    result = sample(
        find("mixes", "dolmino-1124-50b"), output=str(tmp_path / "mix"), arrays_root=str(tmp_path / "tokens"), scale=0.9
    )
    assert result.lock.scale == 0.9
    achieved_percent = dict.fromkeys(manifest.expect.mix_percent, 0.0)
    for planned, achieved in result.rows:
        achieved_percent[planned.name.partition("/")[0]] += achieved.mix_percent
        assert 0 <= achieved.taken_tokens - achieved.target_tokens < 30
    assert achieved_percent == pytest.approx(manifest.expect.mix_percent, abs=0.1)


def test_s3_in_and_out_gives_the_same_bytes(tmp_path: Path, tokens: Path, s3: S3Server) -> None:
    run(tmp_path, tokens)
    for name, documents in (("web", WEB), ("math", MATH), ("book", BOOK)):
        write_arrays(s3.uri(f"sample/tokens/{name}"), documents, groups=3, tokens_per_file=100)
    result = sample(
        tmp_path / "small.yaml",
        output=s3.uri("sample/mix"),
        arrays_root=s3.uri("sample/tokens"),
        tokens_per_file=200,
        workers=2,
        lock_path=str(tmp_path / "copy.lock.json"),
    )
    assert mix_files(s3.file("sample/mix")) == mix_files(tmp_path / "mix")
    assert (tmp_path / "copy.lock.json").read_bytes() == s3.file("sample/mix/small.lock.json").read_bytes()
    assert result.lock.sources["web"].arrays == s3.uri("sample/tokens/web")
    sample(tmp_path / "copy.lock.json", output=s3.uri("sample/mix"), lock_path=s3.uri("sample/git/copy.lock.json"))
    assert s3.file("sample/git/copy.lock.json").read_bytes() == (tmp_path / "copy.lock.json").read_bytes()
    again = sample(tmp_path / "copy.lock.json", output=s3.uri("sample/mix"))
    assert not again.written


def test_the_lock_says_what_was_found_and_nothing_of_where_or_when(tmp_path: Path, tokens: Path) -> None:
    run(tmp_path, tokens, scratch=str(tmp_path / "scratch"))
    lock = read_lock(tmp_path / "mix")
    assert list(lock) == [
        "format",
        "version",
        "manifest_sha256",
        "manifest",
        "scale",
        "tokens_per_file",
        "sequence_length",
        "tokenizer",
        "dtype",
        "sources",
        "outputs",
        "arrays_json_sha256",
    ]
    assert str(tmp_path / "scratch") not in json.dumps(lock)
    assert str(tmp_path / "mix") not in json.dumps(lock)
    outputs, files = lock["outputs"], json.loads((tmp_path / "mix" / "arrays.json").read_text())["files"]
    assert isinstance(outputs, list)
    assert [{key: part[key] for key in file} for part, file in zip(outputs, files, strict=True)] == files
    assert list((tmp_path / "scratch").iterdir()) == []
