"""`dolmino report` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.run import Outcome, dolmino
from tests.report.make import documents, make_mix, run_filter
from tests.s3_server import S3Server


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """A folder with a run in out/ and a mix in mix/; runs verbs in it."""
    run_filter(tmp_path, {"a.jsonl": documents(1, 9, 2, 3)})
    make_mix(tmp_path)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: dolmino(monkeypatch, capsys, "report", *arguments)


def test_a_page_is_written(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    outcome: Outcome = run("out", "mix", "-o", "pages/report.html", "--title", "Ours", "--examples", "1")
    assert outcome.code == 0, outcome.err
    data = (tmp_path / "pages" / "report.html").read_bytes()
    assert b"<h1>Ours</h1>" in data
    assert data.count(b"<details>") == 1
    assert outcome.out.startswith("written to pages/report.html: ")
    assert run("out", "mix", "-o", "again.html", "--title", "Ours", "--examples", "1").code == 0
    assert (tmp_path / "again.html").read_bytes() == data
    assert run(".", "-o", "open.html", "--open-examples").code == 0
    assert b'<details open="">' in (tmp_path / "open.html").read_bytes()


def test_without_output_it_is_printed(run) -> None:  # type: ignore[no-untyped-def]
    outcome: Outcome = run(".")
    assert outcome.code == 0, outcome.err
    assert "4 documents in = 2 kept + 2 dropped + 0 quarantined" in outcome.out
    assert "▲ keep characters >= 3" in outcome.out
    assert "15 windows of 16 tokens in 1 part" in outcome.out


def test_a_dry_run_says_what_was_found(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    outcome: Outcome = run(".", "-o", "report.html", "--dry-run")
    assert outcome.out.splitlines() == ["run out", "mix small in mix", "nothing was written to report.html"]
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["out", "-o", "report"], "--output report: a report is one file; give a name that ends in .html or .htm"),
        (["tokens/web"], "tokens/web: neither a run (run.json) nor a mix"),
        (["nowhere"], "nowhere: neither a run (run.json) nor a mix"),
    ],
)
def test_a_wrong_request_is_one_line(run, arguments: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    outcome: Outcome = run(*arguments)
    assert (outcome.code, said in outcome.error) == (2, True)


def test_from_s3_to_s3_it_is_the_same_page(run, tmp_path: Path, s3: S3Server) -> None:  # type: ignore[no-untyped-def]
    from dolmino_cli.shards import storage
    from dolmino_cli.shards.storage import Output

    bucket = f"s3://{s3.bucket}/report"
    for folder in ("out", "mix"):
        for found in storage.walk(str(tmp_path / folder)):
            Output(f"{bucket}/{folder}").put(found.name, Path(found.path).read_bytes())
    assert run("out", "mix", "-o", "here.html").code == 0
    outcome: Outcome = run(f"{bucket}/out", f"{bucket}/mix", "-o", f"{bucket}/there.html")
    assert outcome.code == 0, outcome.err
    assert storage.read_bytes(f"{bucket}/there.html") == (tmp_path / "here.html").read_bytes()
