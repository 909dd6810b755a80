"""Retokenize: nothing is lost, the files depend on inputs and options alone, and a rerun goes on or refuses."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import ConfigError, DataError, RunFailed
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline.memory import check_ceiling
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.arrays import MadeBy, TokenArrays
from dolmino_cli.tokens.retokenize import execute, finish, plan_retokenize, retokenize
from tests.s3_server import S3Server
from tests.tokenizer.make import byte_level, unigram
from tests.tokens.make import content, documents_in, ids_of, many_shards, write_shards

EOS = 0


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return byte_level(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_shards(tmp_path_factory.mktemp("shards"))


def expected(shards: Path, tokenizer: Path) -> list[tuple[list[int], str, str, int]]:
    """Straight from the definitions: json, str.strip, tokenizers, in the order of shard names."""
    import zstandard

    documents = []
    for path in sorted(shards.iterdir()):
        data = zstandard.ZstdDecompressor().decompress(path.read_bytes(), 1 << 24) if path.suffix == ".zst" else path.read_bytes()
        for number, line in enumerate(data.decode().splitlines(), 1):
            document = json.loads(line)
            if text := document["text"].strip():
                documents.append((ids_of(tokenizer, text, EOS), document["id"], path.name, number))
    return documents


@pytest.mark.parametrize("tokens_per_file", [400, 3000, 10**8])
def test_documents_come_out_as_defined_with_any_number_of_workers(
    shards: Path, tokenizer: Path, tmp_path: Path, tokens_per_file: int
) -> None:
    made = {}
    for workers in (1, 3):
        made[workers] = retokenize(
            [str(shards)],
            tokenizer=str(tokenizer),
            output=str(tmp_path / str(workers)),
            workers=workers,
            tokens_per_file=tokens_per_file,
        )
    wanted = expected(shards, tokenizer)
    assert documents_in(made[1]) == wanted
    assert content(tmp_path / "1") == content(tmp_path / "3")
    totals = made[1].totals
    assert totals["read"] == totals["documents"] + totals["empty"] and totals["empty"] > 0 and totals["documents"] == len(wanted)
    assert totals["tokens"] == sum(len(ids) for ids, *_ in wanted)
    assert all(file.tokens <= tokens_per_file for file in made[1].files)
    assert not list(tmp_path.rglob("*.partial")) and not (tmp_path / "3" / ".scratch").exists()


def test_a_document_longer_than_a_file_gets_a_file_of_its_own(tokenizer: Path, tmp_path: Path) -> None:
    texts = ["the dog", "the fox jumps over the dog " * 50, "the cat"]
    write_shards(tmp_path / "in", {"s.jsonl": texts})
    arrays = retokenize([str(tmp_path / "in")], tokenizer=str(tokenizer), output=str(tmp_path / "out"), tokens_per_file=100)
    assert [(file.name, file.documents) for file in arrays.files] == [(f"part-00000-0000{i}.npy", 1) for i in range(3)]
    assert [ids for ids, *_ in documents_in(arrays)] == [ids_of(tokenizer, text.strip(), EOS) for text in texts]


@pytest.mark.parametrize("workers", [1, 2])
def test_inputs_without_documents_make_valid_arrays_without_files(tokenizer: Path, tmp_path: Path, workers: int) -> None:
    write_shards(tmp_path / "in", {"a.jsonl": [], "b.jsonl": ["", " \n"]})
    retokenize([str(tmp_path / "in")], tokenizer=str(tokenizer), output=str(tmp_path / "out"), workers=workers)
    arrays = TokenArrays.open(str(tmp_path / "out"))
    assert arrays.files == []
    assert arrays.totals == {"tokens": 0, "documents": 0, "bytes": 0, "read": 2, "empty": 2, "quarantined": 0, "text_bytes": 2}
    assert list(content(tmp_path / "out")) == ["arrays.json"]


def test_a_large_vocabulary_takes_four_bytes(tmp_path: Path) -> None:
    path = byte_level(tmp_path / "t" / "tokenizer.json")
    stored = json.loads(path.read_text())
    stored["added_tokens"].append({**stored["added_tokens"][0], "id": 70_000, "content": "<|far|>"})
    path.write_text(json.dumps(stored))
    write_shards(tmp_path / "in", {"a.jsonl": ["the dog"]})
    arrays = retokenize([str(tmp_path / "in")], tokenizer=str(path), output=str(tmp_path / "out"), eos="<|far|>")
    assert (arrays.dtype, arrays.tokenizer.vocabulary_size, arrays.tokenizer.eos_id) == ("uint32", 70_001, 70_000)
    assert np.fromfile(tmp_path / "out" / "part-00000-00000.npy", "<u4").tolist() == [*ids_of(path, "the dog"), 70_000]


def test_unreadable_records_stop_the_run_or_are_kept_aside(tokenizer: Path, tmp_path: Path) -> None:
    write_shards(tmp_path / "in", {"a.jsonl": ["the dog"], "b.jsonl": ["a"]})
    (tmp_path / "in" / "b.jsonl").write_bytes(b'{"id": "x"}\n{"id": "y", "text": "the fox"}\n{"id"')
    with pytest.raises(DataError, match=r"b.jsonl:1: "):
        retokenize([str(tmp_path / "in")], tokenizer=str(tokenizer), output=str(tmp_path / "out"))
    assert not (tmp_path / "out" / "arrays.json").exists() and not list((tmp_path / "out").rglob("*.npy"))
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        arrays = retokenize(
            [str(tmp_path / "in")], tokenizer=str(tokenizer), output=str(out), on_error="quarantine", workers=workers
        )
        assert [row[1:] for row in documents_in(arrays)] == [("a.jsonl/0", "a.jsonl", 1), ("y", "b.jsonl", 2)]
        assert (arrays.totals["read"], arrays.totals["documents"], arrays.totals["quarantined"]) == (4, 2, 2)
        rows = pq.read_table(out / "quarantine" / "b.jsonl.parquet").to_pylist()
        assert [(row["line"], row["record"]) for row in rows] == [(1, b'{"id": "x"}'), (3, b'{"id"')]


def test_one_bad_shard_does_not_stop_the_others(tokenizer: Path, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "in", {f"{name}.jsonl": ["the dog " * 20] for name in "abcd"})
    for name in "bd":
        (folder / f"{name}.jsonl").write_text("not json at all, and long enough for a group " * 4)
    with pytest.raises(RunFailed, match=r"2 of 4 tasks failed; the others are done .*\n.*b.jsonl:1: .*\n.*d.jsonl:1: "):
        retokenize([str(folder)], tokenizer=str(tokenizer), output=str(tmp_path / "out"), tokens_per_file=30)
    assert sorted(path.name for path in (tmp_path / "out" / "ledger").iterdir()) == ["group-00000.json", "group-00002.json"]


def test_groups_in_one_go_and_shard_by_shard_are_the_same(shards: Path, tokenizer: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"tokenizer": str(tokenizer), "tokens_per_file": 2000}
    plan = plan_retokenize([str(shards)], output=str(tmp_path / "three"), **given)
    list(execute(plan, Local(workers=3)))
    made = finish(plan)
    assert {"pack" in entry.seconds for entry in plan.finished.values()} == {True, False}
    assert made.files == retokenize([str(shards)], output=str(tmp_path / "one"), **given).files
    assert content(tmp_path / "three") == content(tmp_path / "one")


def test_groups_that_have_all_their_shards_are_finished_though_another_has_not(tokenizer: Path, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "in", {f"{name}.jsonl": ["the dog " * 20] * 20 for name in "abcdef"})
    whole = (folder / "f.jsonl").read_bytes()
    (folder / "f.jsonl").write_bytes(whole + b"{no json\n")
    given: dict[str, Any] = {"tokenizer": str(tokenizer), "output": str(tmp_path / "out"), "tokens_per_file": 1500}
    plan = plan_retokenize([str(folder)], **given)
    assert [len(group.shards) for group in plan.groups] == [2, 2, 2]
    with pytest.raises(DataError, match=r"f\.jsonl:21: "):
        list(execute(plan, Local(workers=4)))
    assert sorted(plan.finished) == ["group-00000", "group-00001"]
    assert [group.name for group in plan_retokenize([str(folder)], **given).left] == ["group-00002"]
    assert (tmp_path / "out/failures/group-00002/000001.json").is_file()
    (folder / "f.jsonl").write_bytes(whole)
    assert retokenize([str(folder)], **given).totals["documents"] == 120  # by one worker, to whom the group is one task
    assert not list((tmp_path / "out/failures").rglob("*.json"))


def test_a_finished_run_is_not_done_again(shards: Path, tokenizer: Path, tmp_path: Path) -> None:
    arguments = {"tokenizer": str(tokenizer), "output": str(tmp_path / "out"), "tokens_per_file": 3000}
    first = retokenize([str(shards)], **arguments)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    plan = plan_retokenize([str(shards)], **arguments)
    assert plan.left == [] and list(execute(plan, Local())) == []
    assert finish(plan) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")} == before


def test_every_shard_is_reported_once(shards: Path, tokenizer: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in shards.iterdir())
    for workers in (1, 2):
        plan = plan_retokenize([str(shards)], tokenizer=str(tokenizer), output=str(tmp_path / str(workers)), tokens_per_file=3000)
        assert sorted(shard.name for shard in execute(plan, Local(workers=workers))) == names
        assert plan.estimated_tokens > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strip": False}, "recipe.options.strip: true -> false"),
        ({"eos": 1}, "recipe.tokenizer.eos_id: 0 -> 1"),
        ({"special_tokens": "token"}, 'recipe.options.special_tokens: "text" -> "token"'),
        ({"tokens_per_file": 500}, "recipe.options.tokens_per_file: 1000 -> 500"),
        ({"bos": "<|pad|>"}, "recipe.options.bos_id: null -> 1"),
        ({"max_document_bytes": 99}, "recipe.options.max_document_bytes: 134217728 -> 99"),
    ],
)
def test_a_rerun_with_another_request_is_refused_naming_what_changed(
    tokenizer: Path, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    folder = write_shards(tmp_path / "in", {"a.jsonl": ["the dog"]})
    arguments = {"tokenizer": str(tokenizer), "output": str(tmp_path / "out"), "tokens_per_file": 1000}
    retokenize([str(folder)], **arguments)
    with pytest.raises(ConfigError) as raised:
        plan_retokenize([str(folder)], **{**arguments, **change})
    assert said in str(raised.value) and "give another --output" in str(raised.value)


def test_a_document_over_the_limit_is_set_aside(tokenizer: Path, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "in", {"a.jsonl": ["the dog", "the dog " * 50, "the fox"]})
    made = retokenize([str(folder)], tokenizer=str(tokenizer), output=str(tmp_path / "out"), max_document_bytes=300)
    assert [id for _, id, _, _ in documents_in(made)] == ["a.jsonl/0", "a.jsonl/2"]
    assert (made.totals["read"], made.totals["quarantined"]) == (3, 1)


def test_a_largest_document_that_may_not_fit_is_refused(shards: Path, tokenizer: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"take 14 times its size; give --max-document 54MiB or less, or .* 2048MiB or more"):
        retokenize([str(shards)], tokenizer=str(tokenizer), output=str(tmp_path / "out"), memory_bytes=1 << 30)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_a_shard_that_takes_too_much_fails_and_the_others_go_on(
    tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = write_shards(tmp_path / "in", {f"{name}.jsonl": ["the dog"] for name in "abc"})
    given: dict[str, Any] = {"tokenizer": str(tokenizer), "output": str(tmp_path / "out"), "tokens_per_file": 1}
    with monkeypatch.context() as patched:
        ceilings = iter([1 << 40, 1, 1 << 40])
        patched.setattr("dolmino_cli.tokens.encode.check_ceiling", lambda _, path: check_ceiling(next(ceilings), path))
        with pytest.raises(RunFailed, match=r"in/b\.jsonl: the worker has [\d,]+ MiB, more than --memory-per-worker"):
            retokenize([str(shards)], memory_bytes=4 << 30, **given)
    assert sorted(path.name for path in (tmp_path / "out/ledger").iterdir()) == ["group-00000.json", "group-00002.json"]
    assert retokenize([str(shards)], **given).totals["documents"] == 3


def test_a_rerun_with_other_inputs_is_refused_naming_what_changed(tokenizer: Path, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "in", {"a.jsonl": ["the dog"], "b.jsonl": ["the dog" * 9]})
    arguments = {"tokenizer": str(tokenizer), "output": str(tmp_path / "out"), "tokens_per_file": 1}
    retokenize([str(folder)], **arguments)
    write_shards(folder, {"b.jsonl": ["the fox and more"]})
    os.utime(folder / "b.jsonl", ns=(1, 1))
    with pytest.raises(ConfigError, match=r"input.shards\[0\].bytes: \d+ -> \d+; input.shards\[0\].etag: "):
        plan_retokenize([str(folder)], **arguments)
    (folder / "b.jsonl").unlink()
    with pytest.raises(ConfigError, match="holds results for 'group-00001', which is not of these inputs"):
        plan_retokenize([str(folder)], **arguments)


def test_the_recipe_that_the_documents_came_from_is_recorded(tokenizer: Path, tmp_path: Path) -> None:
    write_shards(tmp_path / "run", {"documents/a.jsonl": ["the dog"], "attributes/x.jsonl": ["no document"]})
    run = {"complete": True, "recipe": {"name": "dclm", "stages": []}, "recipe_sha256": "12" * 32}
    (tmp_path / "run" / "run.json").write_text(json.dumps(run))
    arrays = retokenize([str(tmp_path / "run")], tokenizer=str(tokenizer), output=str(tmp_path / "out"))
    assert arrays.made_by == [MadeBy(recipe="dclm", recipe_sha256="12" * 32)]
    assert [row[2] for row in documents_in(arrays)] == ["a.jsonl"]
    (tmp_path / "run" / "run.json").write_text(json.dumps({**run, "complete": False}))
    with pytest.raises(ConfigError, match="is an unfinished run"):
        plan_retokenize([str(tmp_path / "run")], tokenizer=str(tokenizer), output=str(tmp_path / "other"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_tokenizer_without_fast_engine_is_announced_once(
    tmp_path: Path, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = unigram(tmp_path / "t" / "tokenizer.json")
    write_shards(tmp_path / "in", {"a.jsonl": ["the dog"], "b.jsonl": ["the fox"], "c.jsonl": ["a"]})
    with caplog.at_level(logging.WARNING):
        arrays = retokenize([str(tmp_path / "in")], tokenizer=str(tokenizer), output=str(tmp_path / "out"), workers=workers)
    assert [ids for ids, *_ in documents_in(arrays)] == [ids_of(tokenizer, text, 1) for text in ("the dog", "the fox", "a")]
    assert len(caplog.records) == 1 and "tokenizers" in caplog.text
    assert arrays.engine.startswith("tokenizers ")


def test_no_tokens_per_file_is_refused(shards: Path, tokenizer: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tokens per file 0: give 1 or more"):
        plan_retokenize([str(shards)], tokenizer=str(tokenizer), output=str(tmp_path / "out"), tokens_per_file=0)


def test_a_tokenizer_that_changes_during_the_run_stops_it(shards: Path, tmp_path: Path) -> None:
    path = byte_level(tmp_path / "tokenizer.json")
    plan = plan_retokenize([str(shards)], tokenizer=str(path), output=str(tmp_path / "out"))
    byte_level(path, size=350)
    with pytest.raises(ConfigError, match="changed while the run was going on"):
        list(execute(plan, Local()))


@pytest.mark.parametrize("workers", [1, 2])
def test_input_and_output_on_s3_give_the_same_files(tokenizer: Path, tmp_path: Path, s3: S3Server, workers: int) -> None:
    # Few files: the test server's time per request grows with what it holds.
    folder = many_shards(tmp_path / "in", count=3)
    local = retokenize([str(folder)], tokenizer=str(tokenizer), output=str(tmp_path / "local"), tokens_per_file=3000)
    source, target = (s3.uri(f"retokenize{workers}/{name}") for name in ("in", "out"))
    for path in folder.iterdir():
        Output(source).put(path.name, path.read_bytes())
    arguments = {"tokenizer": str(tokenizer), "output": target, "tokens_per_file": 3000}
    remote = retokenize([source], workers=workers, **arguments)  # type: ignore[arg-type]
    assert content(s3.file(f"retokenize{workers}/out")) == content(tmp_path / "local")
    opened = TokenArrays.open(target)
    assert opened == remote and opened.files == local.files and len(opened.files) > 1
    file = opened.files[-1]
    assert [len(rows) for rows in opened.iter_documents(file)] == [file.documents]
    assert plan_retokenize([source], **arguments).left == []  # type: ignore[arg-type]
