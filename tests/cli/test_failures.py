"""Bad input gives one clear line with file and line, exit code 1, and no output that looks finished."""

from __future__ import annotations

import errno
import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from tests.cli.run import dolmino
from tests.pipeline.make import RECIPE, line, read_json, read_rows, tree, write_shard
from tests.s3_server import S3Server

GOOD = line(1, 5, 7)
TEXTS = b"".join(f'{{"id": "{n}", "text": "{n * 7919 % 104729} {os.urandom(40).hex()}"}}\n'.encode() for n in range(2000))

# name of the shard, its bytes, what the line must say, records set aside under --error quarantine
FAULTS = {
    "truncated zst": ("a.jsonl.zst", zstandard.compress(TEXTS)[:-2000], r"a\.jsonl\.zst:\d+: truncated", 1),
    "truncated gz": ("a.jsonl.gz", gzip.compress(TEXTS)[:-2000], r"a\.jsonl\.gz:\d+: truncated", 1),
    "invalid JSON": ("a.jsonl", GOOD + b'\n{"id": "x", "text": }\n', r"a\.jsonl:2: invalid JSON: .* at character 21", 1),
    "no text": ("a.jsonl", GOOD + b'\n{"id": "x"}\n', r"a\.jsonl:2: no field `text`; fields: id", 1),
    "id not text": ("a.jsonl", GOOD + b'\n\n{"id": 7, "text": "x"}\n', r"a\.jsonl:3: `id` must be a string, got a number", 1),
    "invalid UTF-8": ("a.jsonl", GOOD + b'\n{"id": "x", "text": "\xff"}\n', r"a\.jsonl:2: invalid UTF-8: byte 0xff", 1),
    "empty zst": ("a.jsonl.zst", b"", r"a\.jsonl\.zst.*: truncated: the file has 0 bytes", 1),
}


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    return path


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["filter", "score"])
def test_a_bad_shard_gives_one_line(
    tmp_path: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str, verb: str
) -> None:
    name, content, message, _ = FAULTS[fault]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    outcome = dolmino(monkeypatch, capsys, verb, recipe_file, tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert re.search(message, outcome.error), outcome.error
    assert tree(tmp_path / "out") == {} and (tmp_path / "out" / "failures" / f"{name}.json").is_file()


@pytest.mark.parametrize("fault", FAULTS)
def test_quarantine_keeps_the_rest_and_counts(
    tmp_path: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    name, content, _, set_aside = FAULTS[fault]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    outcome = dolmino(
        monkeypatch, capsys, "filter", recipe_file, tmp_path / "in", "-o", tmp_path / "out", "--error", "quarantine"
    )
    assert outcome.code == 0, outcome.err
    assert f"{set_aside} records quarantined" in outcome.out
    (row,) = read_rows(tmp_path / "out/quarantine/a.parquet")
    assert row["file"] == str(tmp_path / "in" / name)
    documents = len(read_rows(tmp_path / "out/attributes/a.parquet"))
    read = re.search(r"│ in +│ +([\d,]+) │", outcome.out)
    assert read is not None
    assert documents + set_aside == int(read[1].replace(",", ""))
    assert documents == {"a.jsonl": 1, "a.jsonl.gz": documents, "a.jsonl.zst": documents}[name]


def test_an_empty_file_has_no_documents(
    tmp_path: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"")
    assert dolmino(monkeypatch, capsys, "filter", recipe_file, tmp_path / "a.jsonl", "-o", tmp_path / "out").code == 0
    assert read_rows(tmp_path / "out/attributes/a.parquet") == []


def test_an_unreadable_s3_key_is_named(
    tmp_path: Path, recipe_file: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    outcome = dolmino(monkeypatch, capsys, "filter", recipe_file, s3.uri("absent/a.jsonl.zst"), "-o", tmp_path / "out")
    assert (outcome.code, "absent/a.jsonl.zst" in outcome.error) == (2, True)
    s3.file("denied/a.jsonl").write_bytes(GOOD + b"\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not the secret")
    outcome = dolmino(monkeypatch, capsys, "filter", recipe_file, s3.uri("denied/a.jsonl"), "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "denied/a.jsonl" in outcome.error
    assert "not the secret" not in outcome.err


FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = ["dolmino", *sys.argv[1:]]
from dolmino_cli.cli.main import run
run()
"""


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, recipe_file: Path) -> None:
    """A limit on file size fails a write in the middle of a shard as a full disk does."""
    write_shard(
        tmp_path / "in/a.jsonl.zst", [one.replace(b'"text"', b'"metadata": {"votes": 9}, "text"') for one in TEXTS.splitlines()]
    )
    command = [sys.executable, "-c", FULL_DISK, "filter", str(recipe_file), str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "numba")})
    assert done.returncode == 1, done.stderr
    (error,) = [text for text in done.stderr.splitlines() if text.startswith("dolmino: error: ")]
    assert "cannot write" in error
    assert "documents/a.jsonl.zst" in error
    assert tree(tmp_path / "out") == {} and (tmp_path / "out/failures/a.jsonl.zst.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["filter", "dcml", "in", "-o", "out"], "did you mean 'dclm'"),
        (["filter", "RECIPE", "absent", "-o", "out"], "absent: there is no such file or folder"),
        (["filter", "RECIPE", "in", "-o", "out", "--error", "ignore"], "--error 'ignore': allowed: fail, quarantine"),
        (["filter", "RECIPE", "in", "-o", "out", "--set", "characters"], "write SCORE.PARAMETER=VALUE"),
        (["filter", "RECIPE", "in", "-o", "out", "--set", "letters.unit=bytes"], "scores: characters, votes"),
        (["filter", "RECIPE", "in", "-o", "out", "--set", "characters.unit=feet"], "'feet' given; allowed: characters"),
        (["filter", "RECIPE", "in", "-o", "out", "--format", "xml"], "--format 'xml': allowed: zst"),
        (["filter", "RECIPE", "in", "-o", "gs://x/y"], "cannot write to 'gs://x/y'"),
        (["sample", "dolmino-1124-50b", "-o", "out"], "no token arrays for dclm, flan"),
        (["mix", "plan", "dolmino-50b"], "no bundled mix 'dolmino-50b'; did you mean"),
        (["retokenize", "in", "-t", "./absent.json", "-o", "out"], r"absent\.json"),
    ],
)
def test_a_wrong_request_exits_with_2(
    tmp_path: Path,
    recipe_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", [GOOD])
    monkeypatch.chdir(tmp_path)
    outcome = dolmino(monkeypatch, capsys, *(str(recipe_file) if word == "RECIPE" else word for word in arguments))
    assert re.search(message, outcome.error), outcome.error
    assert outcome.code == 2
    assert not (tmp_path / "out").exists()


def test_an_interrupt_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C: 128 + SIGINT, as shells have it."""

    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dolmino_cli.mix.find_mix.find_mix", interrupted)
    stopped = dolmino(monkeypatch, capsys, "sample", "dolmino-1124-50b", "-o", "mix")
    assert (stopped.code, stopped.err) == (130, "dolmino: stopped; run the same command again to go on\n")


def test_an_error_of_the_disk_that_nothing_foresaw_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(name: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/x")

    monkeypatch.setenv("DOLMINO_DEBUG", "")  # as it was, after the test
    monkeypatch.setattr("dolmino_cli.mix.find_mix.find_mix", failing)
    failed = dolmino(monkeypatch, capsys, "sample", "dolmino-1124-50b", "-o", "mix")
    assert failed.code == 1
    assert failed.err.startswith("dolmino: error: /data/x: the disk is full; free some space or choose another place (")
    assert failed.err.count("\n") == 1
    assert "Traceback" in dolmino(monkeypatch, capsys, "--debug", "sample", "dolmino-1124-50b", "-o", "mix").err


@pytest.mark.parametrize("words", [["recipe", "show", "dclm"], ["mix", "plan", "dolmino-1124-50b"]])
def test_a_full_disk_under_standard_output_is_one_line(words: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "dolmino_cli.cli.main", *words]
        environment = {**os.environ, "DOLMINO_DEBUG": ""}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    said = "dolmino: error: cannot write to the standard output: the disk is full; free some space or choose another place\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_an_empty_folder_that_cannot_be_removed_fails_no_run(
    tmp_path: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in the output is whole, whether or not a folder of what is no more is left in it; `clean` goes on, too."""

    def refuse(path: object, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    write_shard(tmp_path / "in/a.jsonl.zst", [line(1, 5, 7)])
    monkeypatch.setattr(os, "rmdir", refuse)
    assert dolmino(monkeypatch, capsys, "filter", recipe_file, tmp_path / "in", "-o", tmp_path / "out").code == 0
    assert read_json(tmp_path / "out/run.json")["complete"] is True
    (tmp_path / "out/.jobs/filter.json").write_text("{}")
    assert dolmino(monkeypatch, capsys, "clean", tmp_path / "out", "--yes").code == 0
    assert list((tmp_path / "out/.jobs").iterdir()) == []


def test_metrics_and_task_logs_are_written_where_asked(
    tmp_path: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", [line(1, 5, 7)])
    place, out = tmp_path / "metrics/dolmino.prom", tmp_path / "out"
    outcome = dolmino(monkeypatch, capsys, "filter", recipe_file, tmp_path / "in", "-o", out, "--metrics", place, "--task-logs")
    assert outcome.code == 0, outcome.err
    labels = f'verb="filter",recipe="{recipe_file.stem}",output="{out}",phase="filter",state="done"'
    assert f"dolmino_tasks{{{labels}}} 1\n" in place.read_text()
    assert (out / "logs/filter/a.jsonl.zst.log").read_text().endswith("s: done\n")


def test_shares_keep_metrics_of_their_own(
    tmp_path: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", [line(1, 5, 7)])
    command = ("filter", recipe_file, tmp_path / "in", "-o", tmp_path / "out", "--metrics", tmp_path / "m/dolmino.prom")
    for index in (0, 1):
        assert dolmino(monkeypatch, capsys, *command, "--shard", f"{index}/2").code == 0
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["dolmino.0-of-2.prom", "dolmino.1-of-2.prom"]
    assert 'shard="1/2"' in (tmp_path / "m/dolmino.1-of-2.prom").read_text()
