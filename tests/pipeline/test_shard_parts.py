"""A shard done in parts gives what it gives in one go, whatever kills its workers, and at most one part is done twice."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.executors.leases import Leases
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline import put_together, shard_task, through_stages
from dolmino_cli.pipeline.help import with_help
from dolmino_cli.pipeline.run import Run, execute, finish, plan_run
from dolmino_cli.pipeline.task import Options, ShardTask
from dolmino_cli.shards import ledger
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.output import Pending
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output
from tests.pipeline.make import RECIPE, line, read_json, read_lines, read_rows, recipe, tree

DOCUMENTS = 60
BAD = b'{"id": 3}'
PART_BYTES = 700


def content(bad: int | None = 17) -> bytes:
    """Some 6 kB of documents of all fates, a blank line, a bad one."""
    lines = [line(n, (n * 7) % 9 + 1, n % 4) for n in range(DOCUMENTS)]
    if bad is not None:
        lines.insert(bad, BAD)
    lines.insert(5, b"")
    return b"\r\n".join(lines)


def write_input(folder: Path, suffix: str = ".jsonl.zst", bad: int | None = 17) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    packed = {".jsonl": bytes, ".jsonl.gz": gzip.compress, ".jsonl.zst": zstandard.compress}[suffix](content(bad))
    (folder / f"a{suffix}").write_bytes(packed)
    return folder


def options(part_bytes: int = PART_BYTES, **more: Any) -> Options:
    return Options(**{"on_error": "quarantine", "rejects": True, "part_bytes": part_bytes, **more})


def run_all(folder: Path, inputs: Path, output: Path, options: Options, *, workers: int = 1) -> Run:
    run = plan_run(recipe(folder), list_shards([str(inputs)]), str(output), options)
    for _ in execute(run, Local(workers=workers)):
        pass
    finish(run)
    return run


def counts(output: Path) -> Any:
    [entry] = (output / "ledger").rglob("*.json")
    return read_json(entry)["counts"]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_parts_give_what_one_go_gives(tmp_path: Path, suffix: str) -> None:
    inputs = write_input(tmp_path / "in", suffix)
    run_all(tmp_path, inputs, tmp_path / "whole", options(1 << 20))
    for part_bytes in (90, PART_BYTES, 3000):
        output = tmp_path / f"parts-{part_bytes}"
        run = run_all(tmp_path, inputs, output, options(part_bytes))
        assert sorted(tree(output)) == sorted(tree(tmp_path / "whole")) and not (output / "parts").exists()
        for name in ("documents/a.jsonl.zst", "rejects/a.jsonl.zst"):
            assert read_lines(output / name) == read_lines(tmp_path / "whole" / name)
        for name in ("attributes/a.parquet", "quarantine/a.parquet"):
            assert read_rows(output / name) == read_rows(tmp_path / "whole" / name)
        assert counts(output) == counts(tmp_path / "whole")
        assert run.tally.documents_in == DOCUMENTS
        assert run.tally.documents_in == run.tally.documents_kept + sum(run.tally.dropped.values())


@pytest.mark.parametrize("format", ["zst", "gz", "plain", "parquet", "same"])
def test_documents_of_every_format_are_put_together(tmp_path: Path, format: Any) -> None:
    inputs = write_input(tmp_path / "in", ".jsonl.gz", bad=None)
    outputs = [tmp_path / "whole", tmp_path / "parts"]
    for output, part_bytes in zip(outputs, (1 << 20, PART_BYTES), strict=True):
        run_all(tmp_path, inputs, output, options(part_bytes, format=format))
    [whole], [parts] = ([path for path in (output / "documents").iterdir()] for output in outputs)
    assert whole.name == parts.name
    readers: dict[str, Callable[[Path], Any]] = {
        ".gz": lambda path: gzip.decompress(path.read_bytes()),
        ".zst": read_lines,
        ".jsonl": Path.read_bytes,
        ".parquet": read_rows,
    }
    assert readers[whole.suffix](parts) == readers[whole.suffix](whole)


def test_parquet_in_parts(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = [{"id": f"d{n}", "text": "x" * ((n * 7) % 9 + 1), "metadata": {"votes": n % 4}} for n in range(DOCUMENTS)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in/a.parquet", row_group_size=25)
    run_all(tmp_path, tmp_path / "in", tmp_path / "whole", options(1 << 20))
    run_all(tmp_path, tmp_path / "in", tmp_path / "parts", options(500))
    for name in ("documents", "rejects", "attributes"):
        assert read_rows(tmp_path / f"parts/{name}/a.parquet") == read_rows(tmp_path / f"whole/{name}/a.parquet")
    assert counts(tmp_path / "parts") == counts(tmp_path / "whole")


def test_parquet_in_parts_has_the_inputs_columns_where_no_document_is_kept(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = pa.table({"id": [f"d{n}" for n in range(60)], "text": ["x" * 10] * 60, "kind": pa.array(["a", "b"] * 30)})
    rows = rows.set_column(2, "kind", rows["kind"].dictionary_encode())
    pq.write_table(rows, tmp_path / "in/a.parquet", row_group_size=25)
    none = recipe(tmp_path, RECIPE, "characters.at_least=100")
    run = plan_run(none, list_shards([str(tmp_path / "in")]), str(tmp_path / "out"), options(100))
    list(execute(run, Local(workers=1)))
    kept, dropped = (pq.read_table(tmp_path / f"out/{name}/a.parquet") for name in ("documents", "rejects"))
    assert (kept.num_rows, kept.schema, dropped) == (0, rows.schema, rows)


def test_a_shard_of_one_part_has_no_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = write_input(tmp_path / "in")
    written = []
    publish = Pending.publish

    def note(pending: Pending) -> None:
        written.append(Path(pending.destination).relative_to(tmp_path / "out").parts[0])
        publish(pending)

    monkeypatch.setattr(Pending, "publish", note)
    run_all(tmp_path, inputs, tmp_path / "out", options(len(content())))
    assert "parts" not in written and written.count("documents") == 1


def test_existing_scores_are_taken_part_by_part(tmp_path: Path) -> None:
    inputs = write_input(tmp_path / "in")
    run_all(tmp_path, inputs, tmp_path / "scored", options(1000, decide=False, rejects=False))
    taken = options(300, scores=str(tmp_path / "scored"))
    run_all(tmp_path, inputs, tmp_path / "taken", taken, workers=2)
    run_all(tmp_path, inputs, tmp_path / "measured", options(300), workers=2)
    for name in ("documents/a.jsonl.zst", "rejects/a.jsonl.zst", "quarantine/a.parquet"):
        assert tree(tmp_path / "taken")[name] == tree(tmp_path / "measured")[name]
    taken_rows, measured_rows = (read_rows(tmp_path / name / "attributes/a.parquet") for name in ("taken", "measured"))
    decided = ("id", "line", "kept", "reason")  # a run that measures leaves out the scores of what is dropped
    assert [[row[name] for name in decided] for row in taken_rows] == [[row[name] for name in decided] for row in measured_rows]


def test_an_error_names_the_line_of_the_shard_and_what_was_done_stays(tmp_path: Path) -> None:
    inputs = write_input(tmp_path / "in", bad=40)
    failing = options(on_error="fail")
    with pytest.raises(DataError, match=r"a\.jsonl\.zst:42: `id` must be a string"):
        run_all(tmp_path, inputs, tmp_path / "out", failing, workers=2)
    assert not (tmp_path / "out/ledger").exists()
    before = len(list((tmp_path / "out/parts").rglob("*.json")))
    assert before > 3
    plan_run(recipe(tmp_path), list_shards([str(inputs)]), str(tmp_path / "out"), failing)


def test_parts_of_another_run_are_refused_by_what_changed(tmp_path: Path) -> None:
    inputs = write_input(tmp_path / "in", bad=40)
    with pytest.raises(DataError):
        run_all(tmp_path, inputs, tmp_path / "out", options(on_error="fail"))
    shards = list_shards([str(inputs)])
    with pytest.raises(ConfigError, match=r"recipe\.options\.part_bytes: 700 -> 800.*another --output"):
        plan_run(recipe(tmp_path), shards, str(tmp_path / "out"), options(800, on_error="fail"))
    with pytest.raises(ConfigError, match=r"at_least.*3(\.0)? -> 4(\.0)?"):
        plan_run(recipe(tmp_path, RECIPE, "characters.at_least=4"), shards, str(tmp_path / "out"), options(on_error="fail"))
    (tmp_path / "in/a.jsonl.zst").rename(tmp_path / "in/b.jsonl.zst")
    with pytest.raises(ConfigError, match=r"parts of 'a\.jsonl\.zst', which is not among the inputs"):
        plan_run(recipe(tmp_path), list_shards([str(inputs)]), str(tmp_path / "out"), options(on_error="fail"))


@pytest.mark.parametrize("damage", [b"", b"changed", None])
def test_a_part_that_is_not_as_recorded_is_done_again(tmp_path: Path, damage: bytes | None) -> None:
    inputs = write_input(tmp_path / "in")
    run_all(tmp_path, inputs, tmp_path / "whole", options())
    run_until(tmp_path, inputs, tmp_path / "out", kill_at=8)
    victim = next(iter(sorted((tmp_path / "out/parts").rglob("documents.jsonl.zst"))))
    if damage is None:
        victim.unlink()
    else:
        victim.write_bytes(damage)
    run_all(tmp_path, inputs, tmp_path / "out", options())
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


# A run in a process of its own that kills itself, or its worker, at the n-th file that is shown.


def run_until(folder: Path, inputs: Path, output: Path, *, kill_at: int | None) -> int:
    """The exit code of a run that is killed when it publishes its `kill_at`-th file."""
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_run, args=(folder, inputs, output, kill_at))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run(folder: Path, inputs: Path, output: Path, kill_at: int | None) -> None:
    published = 0
    publish, evaluate = Pending.publish, through_stages.evaluate

    def killing(pending: Pending) -> None:
        nonlocal published
        published += 1
        if published == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        publish(pending)

    def counting(*arguments: Any, **more: Any) -> Any:
        with (folder / "evaluated").open("a") as file:
            file.write(f"{len(arguments[1])}\n")
        return evaluate(*arguments, **more)

    Pending.publish = killing  # type: ignore[method-assign]
    through_stages.evaluate = counting
    run_all(folder, inputs, output, options())


def test_killed_at_every_file_that_is_shown(tmp_path: Path) -> None:
    inputs = write_input(tmp_path / "in")
    run_all(tmp_path, inputs, tmp_path / "whole", options())
    kill_at = 2  # the first is run.json
    while run_until(tmp_path, inputs, tmp_path / "out", kill_at=kill_at) == -signal.SIGKILL:
        kill_at += 1
    assert kill_at > 10
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert counts(tmp_path / "out") == counts(tmp_path / "whole")


@pytest.mark.parametrize("kill_at", [3, 9, 16, 22, 30])
def test_what_was_done_is_not_done_again(tmp_path: Path, kill_at: int) -> None:
    inputs = write_input(tmp_path / "in")
    run_all(tmp_path, inputs, tmp_path / "whole", options())
    for _ in range(3):
        assert run_until(tmp_path, inputs, tmp_path / "out", kill_at=kill_at) in (-signal.SIGKILL, 0)
    assert run_until(tmp_path, inputs, tmp_path / "out", kill_at=None) == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    evaluated = sum(map(int, (tmp_path / "evaluated").read_text().split()))
    of_a_part = PART_BYTES // (len(line(1, 1, 1)) + 2) + 1
    assert DOCUMENTS <= evaluated <= DOCUMENTS + 3 * of_a_part


def test_two_workers_do_one_shard(tmp_path: Path) -> None:
    inputs = write_input(tmp_path / "in", ".jsonl")
    run_all(tmp_path, inputs, tmp_path / "one", options())
    run = plan_run(recipe(tmp_path), list_shards([str(inputs)]), str(tmp_path / "two"), options())
    first, helper = with_help(run.tasks, 2)
    assert (first.helps, helper.helps, helper.shard) == (False, True, first.shard)
    # Somebody is at part 0: the helper does all others, and the shard's own task that one.
    lease = Leases(Output(str(tmp_path / "two"))).take("parts/a.jsonl/00000")
    assert lease is not None
    with lease:
        assert shard_task.run_shard(helper) is None
        done = sorted(path.name for path in (tmp_path / "two/parts/a.jsonl").glob("*.json"))
        assert done == [f"{number:05d}.json" for number in range(1, -(-len(content()) // PART_BYTES))]
    entry = shard_task.run_shard(first)
    assert entry is not None and shard_task.run_shard(helper) == entry
    assert tree(tmp_path / "two") == {name: data for name, data in tree(tmp_path / "one").items()}


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_that_help_change_no_byte(tmp_path: Path, workers: int) -> None:
    inputs = write_input(tmp_path / "in")
    (inputs / "small.jsonl").write_bytes(line(1, 5, 7))
    (inputs / "larger.jsonl").write_bytes(content() * 3)
    run_all(tmp_path, inputs, tmp_path / "one", options())
    run = run_all(tmp_path, inputs, tmp_path / "many", options(), workers=workers)
    assert tree(tmp_path / "many") == tree(tmp_path / "one")
    assert len(run.finished) == 3 and not list((tmp_path / "many").glob("[pl]e*s"))


def test_the_order_of_tasks() -> None:
    def task(name: str, bytes: int, **more: Any) -> ShardTask:
        shard = Shard(path=name, name=name, bytes=bytes, etag=None)
        given: dict[str, Any] = {"recipe": None, "loaded": {}, "run_recipe": {}, "output": "o", "options": options(100, **more)}
        return ShardTask(shard=shard, **given)

    tasks = [task("a.jsonl", 50), task("b.jsonl", 150), task("c.jsonl", 100), task("d.jsonl", 450)]
    found = [(one.shard.name[0], one.helps, one.helpers) for one in with_help(tasks, 3)]
    own = [("d", False, 2), ("b", False, 1), ("a", False, 0), ("c", False, 0)]
    assert found == [*own, ("d", True, 2), ("b", True, 1), ("d", True, 2)]
    assert [(one.shard.name[0], one.helpers) for one in with_help(tasks, 1)] == [("d", 0), ("b", 0), ("a", 0), ("c", 0)]
    many = [task(f"{n:03d}.jsonl", 200 + n) for n in range(100)]
    assert [one.shard.name for one in with_help(many, 2) if one.helps] == [
        "099.jsonl",
        "098.jsonl",
        "001.jsonl",
        "000.jsonl",
    ]


def test_options_are_recorded(tmp_path: Path) -> None:
    inputs = write_input(tmp_path / "in")
    run_all(tmp_path, inputs, tmp_path / "out", options())
    recorded = json.loads((tmp_path / "out/run.json").read_text())["options"]
    assert (recorded["part_bytes"], recorded["max_document_bytes"]) == (PART_BYTES, 128 << 20)


def test_a_document_above_the_limit_is_quarantined_though_the_run_fails_for_others(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    lines = [line(1, 5, 7), line(2, 500, 7), line(3, 6, 7)]
    (tmp_path / "in/a.jsonl").write_bytes(b"\n".join(lines))
    limited = Options(max_document_bytes=300)
    run = run_all(tmp_path, tmp_path / "in", tmp_path / "out", limited)
    assert (run.tally.quarantined, run.tally.documents_in, run.tally.documents_kept) == (1, 2, 2)
    [row] = read_rows(tmp_path / "out/quarantine/a.parquet")
    assert (row["line"], row["record"]) == (2, b"")
    assert str(row["reason"]).startswith(f"{len(lines[1])} bytes, more than --max-document 300; sha256 ")
    assert read_lines(tmp_path / "out/documents/a.jsonl.zst") == [lines[0], lines[2]]


STRICT = """
name: strict
stages:
  - field: {field: metadata.votes, into: votes}
  - keep: {score: votes, at_least: 2, reason: unpopular}
"""


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".parquet"])
def test_a_stage_that_fails_names_the_line_of_the_shard(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "in").mkdir()
    rows = [{"id": f"d{n}", "text": "x" * 40, "metadata": {"votes": None if n == 41 else n}} for n in range(DOCUMENTS)]
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in/a.parquet", row_group_size=25)
    else:
        packed = b"".join(gzip.compress(json.dumps(row).encode() + b"\n") for row in rows)
        (tmp_path / f"in/a{suffix}").write_bytes(packed)
    run = plan_run(recipe(tmp_path, STRICT), list_shards([str(tmp_path / "in")]), str(tmp_path / "out"), options(500))
    with pytest.raises(DataError, match=rf"a\{suffix}:42: document 'd41' has no score"):
        list(execute(run, Local(workers=1)))
    assert len(list((tmp_path / "out/parts").rglob("*.json"))) > 2


def test_scores_that_do_not_fit_name_the_line_of_the_shard(tmp_path: Path) -> None:
    inputs = write_input(tmp_path / "in")
    run_all(tmp_path, inputs, tmp_path / "scored", options(decide=False, rejects=False))
    [path] = (tmp_path / "scored/attributes").iterdir()
    scores = pq.read_table(path)
    changed = ["d0" if id == "d41" else id for id in scores["id"].to_pylist()]
    pq.write_table(scores.set_column(0, "id", pa.array(changed, pa.large_string())), path)
    with pytest.raises(DataError, match=r"row 42 is of document 'd0', but line 44 of .* is 'd41'"):
        run_all(tmp_path, inputs, tmp_path / "out", options(scores=str(tmp_path / "scored")))
    pq.write_table(scores.slice(0, 41), path)
    with pytest.raises(DataError, match=r"41 rows, but .* has more documents \(at line (4[4-9]|5\d)\)"):
        run_all(tmp_path, inputs, tmp_path / "other", options(scores=str(tmp_path / "scored")))


def test_an_input_that_changes_between_two_parts_is_not_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = write_input(tmp_path / "in", ".jsonl", bad=None)
    before, evaluate = inputs / "a.jsonl", through_stages.evaluate
    other = before.read_bytes().replace(b"x", b"y")

    def changing(*arguments: Any, **more: Any) -> Any:
        if (tmp_path / "out/parts/a.jsonl/00001.json").exists():
            before.write_bytes(other)
        return evaluate(*arguments, **more)

    monkeypatch.setattr(through_stages, "evaluate", changing)
    with pytest.raises(DataError, match=r"a\.jsonl: was changed while it was being read"):
        run_all(tmp_path, inputs, tmp_path / "out", options())
    assert sorted(path.name for path in (tmp_path / "out/parts/a.jsonl").glob("*.json")) == ["00000.json", "00001.json"]
    with pytest.raises(ConfigError, match=r"results for 'a\.jsonl/00001' of another run: input\.etag"):
        plan_run(recipe(tmp_path), list_shards([str(inputs)]), str(tmp_path / "out"), options())


@pytest.mark.parametrize("removed", [0, 1, 8, 9, 20, 32])
def test_killed_while_parts_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: int) -> None:
    inputs, left = write_input(tmp_path / "in"), removed
    delete = Output.delete

    def stopping(output: Output, name: str) -> None:
        nonlocal left
        if name.startswith("parts/"):
            if not left:
                raise KeyboardInterrupt
            left -= 1
        delete(output, name)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Output, "delete", stopping)
        run_all(tmp_path, inputs, tmp_path / "out", options())
    assert (tmp_path / "out/ledger").exists() and any((tmp_path / "out/parts").rglob("*.*"))
    run_all(tmp_path, inputs, tmp_path / "out", options())
    assert not (tmp_path / "out/parts").exists()
    run_all(tmp_path, inputs, tmp_path / "whole", options())
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_worker_that_wakes_up_in_a_part_when_the_shard_is_put_together_finds_it_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = write_input(tmp_path / "in")
    [task] = plan_run(recipe(tmp_path), list_shards([str(inputs)]), str(tmp_path / "out"), options()).tasks
    publish = Pending.publish

    def stalled(pending: Pending) -> None:
        if "/00003/" in pending.destination:
            monkeypatch.setattr(Pending, "publish", publish)
            assert shard_task.run_shard(task) is not None  # another worker meanwhile
            shutil.rmtree(tmp_path / "out/parts", ignore_errors=True)
        publish(pending)

    monkeypatch.setattr(Pending, "publish", stalled)
    assert shard_task.run_shard(task) == ledger.load(Output(str(tmp_path / "out")), "a.jsonl.zst")


@pytest.mark.parametrize("stalled_at", ["_rows", "_bytes"])
def test_a_worker_that_wakes_up_when_the_shard_is_put_together_finds_it_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stalled_at: str
) -> None:
    inputs = write_input(tmp_path / "in")
    run = plan_run(recipe(tmp_path), list_shards([str(inputs)]), str(tmp_path / "out"), options())
    [task] = run.tasks
    usual = getattr(put_together, stalled_at)

    def stalled(*arguments: Any) -> None:
        monkeypatch.setattr(put_together, stalled_at, usual)
        assert shard_task.run_shard(task) is not None  # another worker meanwhile
        usual(*arguments)

    monkeypatch.setattr(put_together, stalled_at, stalled)
    entry = shard_task.run_shard(task)
    assert entry is not None and entry == ledger.load(Output(str(tmp_path / "out")), "a.jsonl.zst")
    run_all(tmp_path, inputs, tmp_path / "whole", options())
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
