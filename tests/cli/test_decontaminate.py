"""`dolmino decontaminate`, from evaluation files to the reviewed run, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.run import dolmino
from tests.pipeline.make import read_rows, tree, write_shard

QUESTION = "Why do cats purr when somebody strokes their soft fur?"
DOCUMENTS = {
    "clean": "Nothing of that kind is in here, whoever looks for it and however long.",
    "copied": f"Zoë asks: {QUESTION} Nobody knows.",
    "long": "\n".join(["Some other sentence that nobody asked about."] * 99 + [QUESTION]),
    "short": "Who wrote Hamlet?",
}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with documents/, and evals.index made of two tasks."""
    monkeypatch.chdir(tmp_path)
    for task, texts in {"cats": [QUESTION], "books": ["Who wrote Hamlet?", "No idea"]}.items():
        Path(f"{task}.jsonl").write_text("".join(json.dumps({"q": text}) + "\n" for text in texts))
    write_shard(Path("in/a.jsonl.zst"), [json.dumps({"id": name, "text": text}).encode() for name, text in DOCUMENTS.items()])
    made = dolmino(
        monkeypatch, capsys, "decontaminate", "index", "cats.jsonl", "books.jsonl", "--fields", "q", "-o", "evals.index"
    )
    assert made.code == 0, made.err
    assert "too short to match: 1 instances of fewer than 3 words\n  books  books.jsonl:2  'No idea'" in made.out
    assert "shared by all workers" in made.out
    return tmp_path


def test_from_index_to_review(work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ran = dolmino(monkeypatch, capsys, "filter", "flan", "in", "-o", "out")
    assert ran.code == 0, ran.err
    rows = {str(row["id"]): row for row in read_rows(work / "out/attributes/a.parquet")}
    assert {name: row["reason"] for name, row in rows.items()} == (
        {"clean": None, "copied": "eval_overlap", "long": "eval_instance", "short": "eval_overlap"}
    )
    evidence = rows["copied"]["eval_overlap_evidence"]
    assert isinstance(evidence, dict)
    assert DOCUMENTS["copied"].encode()[evidence["start_byte"] : evidence["end_byte"]].decode() == QUESTION
    assert rows["clean"]["eval_overlap_evidence"] is None
    review = dolmino(monkeypatch, capsys, "decontaminate", "review", "out", "--limit", "1")
    assert review.code == 0, review.err
    shown = " ".join(review.out.replace("│", " ").split())
    assert "copied (a.jsonl.zst:2): eval_overlap" in shown
    assert "⟦Why do cats purr when somebody strokes their soft fur?⟧" in shown
    assert "3 documents dropped, 1 shown" in shown
    wrong = dolmino(monkeypatch, capsys, "decontaminate", "review", "out", "--task", "dogs")
    assert (wrong.code, wrong.error) == (2, "--task dogs: nothing was found of it; found: cats, books")


def test_scores_keep_their_evidence(work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("filter", "flan", "in", "-o", "one"), ("score", "flan", "in", "-o", "scored")):
        assert dolmino(monkeypatch, capsys, *arguments).code == 0
    assert dolmino(monkeypatch, capsys, "filter", "flan", "in", "-o", "two", "--scores", "scored").code == 0
    columns = ["eval_overlap", "eval_overlap_evidence"]
    one, two = (pq.read_table(work / run / "attributes/a.parquet", columns=columns) for run in ("one", "two"))
    assert one.equals(two)


def test_the_output_does_not_depend_on_the_workers(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(work / "in/b.jsonl.zst", [json.dumps({"id": "b", "text": QUESTION}).encode()])
    for workers in (1, 2):
        assert dolmino(monkeypatch, capsys, "filter", "flan", "in", "-o", f"w{workers}", "-w", workers).code == 0
    assert tree(work / "w1") == tree(work / "w2")


def test_profile_ai2_passes_over_short_instances(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dolmino(monkeypatch, capsys, "filter", "flan", "in", "-o", "out", "--profile", "ai2").code == 0
    reasons = {row["id"]: row["reason"] for row in read_rows(work / "out/attributes/a.parquet")}
    assert reasons == {"clean": None, "copied": "eval_overlap", "long": "eval_overlap", "short": None}


def test_selftest(work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    good = dolmino(monkeypatch, capsys, "decontaminate", "selftest", "evals.index", "--clean", "in")
    assert good.code == 0, good.err
    assert (
        "of 4 documents taken to be clean, flagged by: paper 2 (50 %), ai2 2 (50 %), instance 3 (75 %), default 3 (75 %)"
        in good.out
    )
    index = ["decontaminate", "index", "books.jsonl", "--fields", "q", "-o", "strict.index", "--shortest", "4"]
    assert dolmino(monkeypatch, capsys, *index).code == 0
    bad = dolmino(monkeypatch, capsys, "decontaminate", "selftest", "strict.index")
    assert (bad.code, bad.error) == (
        1,
        "3 instances of three words or more, planted verbatim, were not found by the default rule",
    )


def test_wrong_requests_have_one_clear_line(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        outcome = dolmino(monkeypatch, capsys, "decontaminate", *arguments)
        return outcome.code, outcome.error

    assert run("index", "cats.jsonl", "-o", "x") == (
        2,
        "cats.jsonl: say which of its fields make an instance: --fields question --fields context,question",
    )
    assert run("index", "cats.jsonl", "--fields", "question", "-o", "x") == (
        1,
        "cats.jsonl:1: no field 'question' ('question' is missing); there is: q",
    )
    assert run("review", "in")[0] == 2
    assert run("show", "cats.jsonl")[0] == 2
    dry = dolmino(monkeypatch, capsys, "decontaminate", "index", "cats.jsonl", "--fields", "q", "-o", "x", "--dry-run")
    assert (dry.code, dry.out) == (0, "cats.jsonl\nnothing was written to x\n")
    assert not Path("x").exists()
