"""A mix is the same from any executor, and from several processes that write it together; what is done is not done again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, RunFailed, StorageError
from dolmino_cli.executors import failures
from dolmino_cli.executors.leases import Lease, Leases
from dolmino_cli.executors.local import Local
from dolmino_cli.mix import folder
from dolmino_cli.mix.prepare import prepare
from dolmino_cli.mix.sampling import choose, memory, mix_rows, sample, write_part
from dolmino_cli.mix.sampling.records import recall, remembered
from dolmino_cli.mix.sampling.sample import How, SampleResult, sample_prepared
from dolmino_cli.shards.output import Output
from tests.executors.hostile import Hostile, OneOfSeveral
from tests.executors.shares import at_once
from tests.mix.make import contents, documents_of, write_arrays, write_manifest

SHARES = {"web": "source_percent: 60", "math": "source_percent: 250"}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sources in five files, many tables, five parts, and the mix as one process makes it."""
    monkeypatch.setattr(memory, "_MOST_TABLE_BYTES", 1)
    write_manifest(tmp_path / "small.yaml", **SHARES)
    for name, lengths, groups in (("web", [2 + (i * 7) % 20 for i in range(60)], 3), ("math", [5, 6, 7, 8, 9, 10, 11], 2)):
        write_arrays(tmp_path / "tokens" / name, documents_of(*lengths, prefix=name), groups=groups)
    make(tmp_path, "mix")
    return tmp_path


def make(made: Path, output: str, how: How | None = None) -> SampleResult:
    prepared = prepare(made / "small.yaml", arrays_root=str(made / "tokens"), tokens_per_file=100)
    return sample_prepared(prepared, output=str(made / output), how=how)


@pytest.mark.parametrize("copy_sources", [False, True])
def test_tasks_that_are_done_twice_killed_and_done_again_give_the_same_bytes(made: Path, copy_sources: bool) -> None:
    make(made, "two", How(executor=Local(workers=2), copy_sources=copy_sources))
    make(made, "hostile", How(executor=Hostile(seed=copy_sources), copy_sources=copy_sources))
    assert contents(made / "two") == contents(made / "mix")
    assert contents(made / "hostile") == contents(made / "mix")


def test_several_processes_write_one_mix_together(made: Path) -> None:
    results = at_once(*(partial(one_of_several, made, number) for number in range(3)))
    assert without_logs(made / "together") == contents(made / "mix")
    assert {result.lock.to_json() for result in results} == {(made / "mix/small.lock.json").read_bytes()}


def one_of_several(made: Path, number: int) -> SampleResult:
    memory._MOST_TABLE_BYTES = 1
    return make(made, "together", How(executor=OneOfSeveral(output=str(made / "together"), seed=number)))


def test_a_process_that_another_one_overtook_takes_the_finished_mix(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other has removed the scratch under it."""

    def slow(*arguments: object, **options: object) -> object:
        monkeypatch.setattr(sample, "mix_rows", mix_rows.mix_rows)
        make(made, "late", How(executor=OneOfSeveral(output=str(made / "late"), seed=1)))
        raise StorageError("scratch is not there any more")

    monkeypatch.setattr(sample, "mix_rows", slow)
    result = make(made, "late", How(executor=OneOfSeveral(output=str(made / "late"), seed=0)))
    assert result.lock.to_json() == (made / "mix/small.lock.json").read_bytes()
    assert contents(made / "late") == contents(made / "mix")


def test_nor_does_one_that_was_overtaken_while_it_wrote_parts_leave_records_of_failures(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(task: write_part.PartTask) -> object:
        monkeypatch.setattr(sample, "write_part", write_part.write_part)
        make(made, "late")
        raise StorageError("scratch is not there any more")

    monkeypatch.setattr(sample, "write_part", slow)
    result = make(made, "late", How(executor=OneOfSeveral(output=str(made / "late"), seed=0)))
    assert result.lock.to_json() == (made / "mix/small.lock.json").read_bytes()
    assert without_logs(made / "late") == contents(made / "mix")


def without_logs(folder: Path) -> dict[str, bytes]:
    """What is in a mix, but for what is said of tasks that failed, and of how others are to know."""
    return {name: data for name, data in contents(folder).items() if not name.startswith((".jobs", "logs/"))}


def stopped(work: object, at: int) -> object:
    """`work` that fails from its n-th call on."""
    calls = []

    def call(task: object) -> object:
        calls.append(task)
        if len(calls) >= at:
            raise StorageError("the disk is full")
        return work(task)  # type: ignore[operator]

    return call


def test_what_a_stopped_run_did_is_not_done_again(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    for module, name in ((choose, "survey"), (mix_rows, "order"), (sample, "write_part")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, stopped(getattr(module, name), at=3))
            with pytest.raises(RunFailed, match="the disk is full"):
                make(made, "again")
    written = {path.name: path.stat().st_ino for path in (made / "again").glob("part-*")}
    assert len(written) == 8  # two parts of four files
    assert failures.names(Output(str(made / "again"))) == {"00002", "00003", "00004", "00005"}
    monkeypatch.setattr(choose, "survey", lambda task: done.append(task) or recall(task.record))
    make(made, "again")
    assert len(done) == 5  # all of them recalled: nothing of the sources was read again
    assert {name: (made / "again" / name).stat().st_ino for name in written} == written
    assert failures.names(Output(str(made / "again"))) == set()
    logs = {f"logs/write/{part}.log" for part in ("00002", "00003", "00004", "00005")}
    found = contents(made / "again")
    assert {name: data for name, data in found.items() if name not in logs} == contents(made / "mix") and logs <= set(found)


def test_a_folder_of_another_mix_that_was_not_finished_is_begun_anew(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(folder, "end", stopped(folder.end, at=1))
        with pytest.raises(StorageError):
            make(made, "again")
    other = write_manifest(made / "small.yaml", seed=7, **SHARES)
    (made / "again/small.lock.json").unlink()
    make(made, "again")
    make(made, "fresh")
    assert contents(made / "again") == contents(made / "fresh") != contents(made / "mix")
    assert other.exists()


def test_a_process_with_another_memory_budget_leaves_the_rows_of_those_at_work(tmp_path: Path, made: Path) -> None:
    request = prepare(made / "small.yaml", arrays_root=str(made / "tokens")).request
    output, scratch = Output(str(tmp_path / "begun")), tmp_path / "scratch"
    first = folder.Mark(request_sha256="ab", scratch="rows-of-4GiB")
    other, another_mix = replace(first, scratch="rows-of-8GiB"), replace(first, request_sha256="cd")
    for mark, left in ((first, True), (other, True), (another_mix, False)):
        assert folder.begin(output, request, mark, scratch)
        if mark is first:
            (scratch / mark.scratch).mkdir(parents=True)
        assert (scratch / "rows-of-4GiB").is_dir() == left


def test_a_process_that_another_one_began_before_removes_nothing_of_it(
    tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has found that nobody began; the other has begun, and has first rows, when it comes to begin itself."""
    request = prepare(made / "small.yaml", arrays_root=str(made / "tokens")).request
    output, scratch, take = Output(str(tmp_path / "begun")), tmp_path / "scratch", Leases.take
    mark = folder.Mark(request_sha256="ab", scratch="rows")

    def late(leases: Leases, name: str) -> Lease | None:
        monkeypatch.setattr(Leases, "take", take)
        assert folder.begin(output, request, mark, scratch)
        (scratch / "rows").mkdir(parents=True)
        output.put("part-00000.npy", b"1234")
        return take(leases, name)

    monkeypatch.setattr(Leases, "take", late)
    assert folder.begin(output, request, mark, scratch)
    assert (scratch / "rows").is_dir() and output.exists("part-00000.npy")


def test_a_part_that_was_removed_while_the_mix_was_written_is_missed(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def remove(task: write_part.PartTask) -> object:
        written = write_part.write_part(task)
        (made / "again/part-00001.csv.gz").unlink(missing_ok=True)
        return written

    with monkeypatch.context() as patch:
        patch.setattr(sample, "write_part", remove)
        with pytest.raises(StorageError, match=r"1 parts were removed from .* meanwhile \(such as part-00001\.npy\); run again"):
            make(made, "again")
    make(made, "again")
    assert contents(made / "again") == contents(made / "mix")


def test_on_several_machines_scratch_must_be_where_all_see_it(made: Path) -> None:
    prepared = prepare(made / "small.yaml", arrays_root=str(made / "tokens"))
    with pytest.raises(
        ConfigError, match=r"--output s3://b/mix is on S3: say where .*: --scratch DIR, a folder on a shared disk"
    ):
        sample_prepared(prepared, output="s3://b/mix", how=How(executor=Hostile(seed=0)))


def test_a_record_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    for cut in (b"", b"\x80\x05", b"\x80\x05]"):
        (tmp_path / "one").write_bytes(cut)
        assert remembered(tmp_path / "one", lambda: [1, 2]) == [1, 2]
        assert recall(tmp_path / "one") == [1, 2]
