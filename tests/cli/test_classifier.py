"""`dolmino classifier train`, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run import dolmino
from tests.pipeline.make import write_shard
from tests.sources.classifier.make import SUMS, TALK, texts, write_texts

SMALL = ("--dim", 8, "--buckets", 500, "--min-count", 1, "--held-out", 25)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sums/, talk/ and both labelled in both.jsonl.zst."""
    monkeypatch.chdir(tmp_path)
    write_texts(Path("sums/a.jsonl.zst"), texts(SUMS, 80, 1))
    write_texts(Path("talk/a.jsonl.zst"), texts(TALK, 80, 2))
    labelled = [(text, "sums") for text in texts(SUMS, 80, 1)] + [(text, "talk") for text in texts(TALK, 80, 2)]
    write_shard(Path("both.jsonl.zst"), [json.dumps({"text": text, "kind": kind}).encode() for text, kind in labelled])
    return tmp_path


def test_from_labelled_documents_to_a_filter(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("fasttext", reason="needs the extra [fasttext]")
    asked = ("classifier", "train", "both.jsonl.zst", "--label-field", "kind", "--positive", "sums", *SMALL)
    dry = dolmino(monkeypatch, capsys, *asked, "-o", "model", "--dry-run")
    assert (dry.code, "nothing was written to model" in dry.out, Path("model").exists()) == (0, True, False)
    made = dolmino(monkeypatch, capsys, *asked, "-o", "model")
    assert made.code == 0, made.err
    assert "160 records" in made.out and "training positive" in made.out
    assert "on the held-out texts: AUC 1.0000; at 0.5 precision" in made.out
    assert "│ at least │" in made.out.replace("┃", "│")
    report = json.loads(Path("model/model.json").read_text())
    assert report["model"]["sha256"] in made.out
    apart = ("--positives", "sums", "--negatives", "talk", *SMALL)
    same = dolmino(monkeypatch, capsys, "classifier", "train", *apart, "-o", "apart")
    assert same.code == 0, same.err
    assert Path("apart/model.bin").read_bytes() == Path("model/model.bin").read_bytes()
    write_shard(
        Path("new/a.jsonl.zst"),
        [json.dumps({"id": words[0], "text": " ".join(words)}).encode() for words in (SUMS, TALK)],
    )
    kept = dolmino(monkeypatch, capsys, "filter", "mathcoder2-synth", "new", "--set", "math.model=model/model.bin", "-o", "out")
    assert kept.code == 0, kept.err
    assert "dropped: math (math >= 0.5)" in " ".join(kept.out.split())
    counts = json.loads(Path("out/run.json").read_text())["counts"]
    assert (counts["kept"], counts["dropped"]) == (1, {"math": 1})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "no documents; give LABELLED files, or --positives and --negatives"),
        (("--positives", "sums"), "documents of one kind only; give --negatives too, or LABELLED files that have both"),
        (
            ("--positives", "sums", "--negatives", "talk", "--positive", "math"),
            "--positive and --negative name labels of LABELLED files, and there is none; shards go to --positives",
        ),
        (("both.jsonl.zst",), "no positive label: say which values of 'label' mean a document to find: --positive math"),
        (
            ("--positives", "sums", "--negatives", "sums"),
            "sums/a.jsonl.zst is given twice, with labels that may differ; give it once",
        ),
        (("--positives", "sums", "--negatives", "talk", "--newlines", "crlf"), "--newlines 'crlf': allowed: dclm, space"),
    ],
)
def test_wrong_requests_are_one_line(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], problem: str
) -> None:
    ran = dolmino(monkeypatch, capsys, "classifier", "train", *arguments, "-o", "model")
    assert (ran.code, ran.error) == (2, problem)
    assert not Path("model").exists()
