"""`dolmino sample` as one types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.cli.amounts import parse_size
from dolmino_cli.errors import ConfigError
from dolmino_cli.executors.claim import claim
from dolmino_cli.mix.folder import UNFINISHED
from dolmino_cli.shards.storage import Output
from tests.cli.run import Outcome, dolmino
from tests.mix.make import contents, write_manifest, write_uniform_arrays

SIZES = {"4GiB": 4 << 30, "4g": 4 << 30, "512M": 512 << 20, "2GB": 2 * 10**9, "1.5GiB": 3 << 29, "100": 100, "1TiB": 1 << 40}


@pytest.mark.parametrize("given", SIZES)
def test_sizes(given: str) -> None:
    assert parse_size("--memory", given) == SIZES[given]


@pytest.mark.parametrize("given", ["", "GiB", "-4G", "1.5", "4 G", "4GX", "all", "٣G"])
def test_what_is_no_size_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=r"--memory .*: give a size such as 4GiB"):
        parse_size("--memory", given)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    write_uniform_arrays(tmp_path / "tokens" / "web", documents=1000, length=30, prefix="d")
    manifest = write_manifest(tmp_path / "m.yaml", web="source_percent: 50")

    def call(*arguments: object) -> Outcome:
        given = manifest, "--arrays", tmp_path / "tokens", "-o", tmp_path / "mix", *arguments
        return dolmino(monkeypatch, capsys, "sample", *given)

    return call


def test_phases_are_reported_and_windows_counted(run) -> None:  # type: ignore[no-untyped-def]
    done = run("--sequence-length", 16, "--tokens-per-file", 4000)
    assert done.code == 0, done.err
    last = {line.partition(":")[0]: line.split(",")[0] for line in done.err.splitlines()}  # a slow phase has more lines
    assert list(last.values())[:3] == ["read: 1", "sort: 500/500 documents", "write: 15"]
    assert "windows of 16 tokens: 935; masked for repetition: 0 (0 %); tokens that fill none: 40 (0.27 %)" in done.out
    assert "note: 40 tokens (0.27 %) at the ends of 4 parts fill no window of 16 and are never trained on" in done.err


def test_too_little_memory_is_one_line_and_writes_nothing(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for dry_run in ([], ["--dry-run"]):
        done = run("--memory", "100MiB", "-w", 2, *dry_run)
        assert done.code == 2
        assert done.error.startswith("100MiB of memory is too little for 2 workers; give --memory")
        assert not (tmp_path / "mix").exists()


def test_copied_sources_make_the_same_mix(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run().code == 0
    before = contents(tmp_path / "mix")
    for part in (tmp_path / "mix").glob("part-*"):
        part.unlink()
    assert run("--copy-sources", "--scratch", tmp_path / "scratch").code == 0
    assert contents(tmp_path / "mix") == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--lock", "m.yaml/m.lock.json"], "cannot write"),
        (["--scratch", "s3://bucket/scratch"], "--scratch 's3://bucket/scratch': it must be on the local disk"),
        (["--sequence-length", 10**20], "sequence_length is 100000000000000000000; it must be 1 to 16,777,216"),
        (["--tokens-per-file", 10**20], "tokens_per_file is 100000000000000000000; it must be 1 to"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(
    run,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[object],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    done = run(*options)
    assert done.code in (1, 2)
    assert problem in done.error
    assert contents(tmp_path) == before


def test_a_mix_that_is_there_is_not_said_to_be_identical(
    run,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing was read of it: only `mix verify` can say that."""
    assert run().code == 0
    index = tmp_path / "mix" / "part-00000.csv.gz"
    index.write_bytes(index.read_bytes() + b"x")
    again = dolmino(
        monkeypatch,
        capsys,
        "sample",
        tmp_path / "mix" / "small.lock.json",
        "-o",
        tmp_path / "mix",
        "--arrays",
        tmp_path / "tokens",
    )
    assert (again.code, "identical" in again.out) == (0, False)
    assert "the mix was there already, complete by the sizes of its files" in again.out


def test_two_runs_do_not_write_to_one_folder(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Each would remove the other's scratch and parts; the second is refused and the first one's work stays."""
    with claim(Output(str(tmp_path / "mix"))):
        (tmp_path / "mix" / "part-00000.npy").touch()
        (tmp_path / "mix" / UNFINISHED).touch()
        refused = run()
        assert refused.code == 1
        assert refused.error.startswith("another run is writing to ")
        assert sorted(path.name for path in (tmp_path / "mix").iterdir()) == ["leases", "part-00000.npy", UNFINISHED]
    assert run().code == 0
