"""A classifier is the same bytes every time, and its report is what the stage `fasttext` gives on the held-out texts."""

from __future__ import annotations

import hashlib
import json
import platform
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dolmino_cli.errors import ConfigError, DataError, RunFailed, StorageError
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.storage import Output
from dolmino_cli.sources.classifier import training as module
from dolmino_cli.sources.classifier.held_out import judge
from dolmino_cli.sources.classifier.labelled import Counts
from dolmino_cli.sources.classifier.training import Settings, Training, count, train
from dolmino_cli.stages.fasttext import FastText
from tests.executors.processes import sigterm_ends
from tests.pipeline.make import tree
from tests.s3_server import S3Server
from tests.sources.classifier.make import two_kinds
from tests.stages.conftest import batch_of

SMALL = Settings(dim=8, buckets=500, epochs=5, learning_rate=0.5, word_ngrams=2, min_count=1, threads=1, seed=0)


def request(folder: Path, **more: Any) -> Training:
    options: dict[str, Any] = {"labels": None, "newlines": "dclm", "held_out_percent": 25.0, "seed": 1, "on_error": "fail"}
    return Training(**{"shards": two_kinds(folder), "settings": SMALL, **options, **more})


@pytest.fixture(autouse=True)
def package() -> None:
    pytest.importorskip("fasttext", reason="needs the extra [fasttext]")


def test_the_same_bytes_twice_and_for_any_order_of_the_shards(tmp_path: Path) -> None:
    one = request(tmp_path / "in")
    reports = [train(one, Output(str(tmp_path / "a"))), train(replace(one), Output(str(tmp_path / "b")))]
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["model.bin", "model.json"]
    model = (tmp_path / "a/model.bin").read_bytes()
    assert reports[0]["model"]["sha256"] == hashlib.sha256(model).hexdigest()
    assert reports[0] == json.loads((tmp_path / "a/model.json").read_text())
    turned = train(replace(one, shards=one.shards[::-1]), Output(str(tmp_path / "turned")))
    assert turned["model"] == reports[0]["model"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc fills memory when asked")
def test_what_is_left_in_memory_does_not_get_into_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = request(tmp_path / "in")
    clean = train(one, Output(str(tmp_path / "clean")))
    monkeypatch.setenv("MALLOC_PERTURB_", "165")  # every byte handed out is 0x5A: as used memory, but the same every time
    assert train(one, Output(str(tmp_path / "used")))["model"] == clean["model"]


def test_the_report_is_what_the_stage_gives_on_the_held_out_texts(tmp_path: Path) -> None:
    one = request(tmp_path / "in")
    report = train(one, Output(str(tmp_path / "out")))
    held = [line for line in module._lines(one, Counts()) if line.held_out]
    stage = FastText(model=str(tmp_path / "out/model.bin"), label="__label__positive", into="s")
    scores = stage(batch_of(*(line.text for line in held))).to_numpy()
    judged = judge(scores, np.array([line.positive for line in held]))
    assert judged.auc > 0.99, "the two kinds share no telling word"
    assert report["judged"]["auc"] == judged.auc
    assert [row["recall"] for row in report["judged"]["thresholds"]] == [row.recall for row in judged.thresholds]
    assert report["counts"]["records"] == 240
    assert (report["judged"]["positive"], report["judged"]["negative"]) == (
        report["counts"]["used"]["held-out positive"],
        report["counts"]["used"]["held-out negative"],
    )


def test_a_dry_run_counts_what_training_uses(tmp_path: Path) -> None:
    one = request(tmp_path / "in")
    report = train(one, Output(str(tmp_path / "out")))
    assert count(one).used == report["counts"]["used"]


def test_what_is_there_already_is_left_and_another_request_is_refused(tmp_path: Path) -> None:
    one = request(tmp_path / "in")
    report = train(one, Output(str(tmp_path / "out")))
    before = (tmp_path / "out/model.json").stat().st_mtime_ns
    assert train(one, Output(str(tmp_path / "out"))) == report
    assert (tmp_path / "out/model.json").stat().st_mtime_ns == before
    other = replace(one, settings=replace(SMALL, dim=16))
    with pytest.raises(ConfigError, match=r"another request: request\.settings\.dim: 8 -> 16; use another --output"):
        train(other, Output(str(tmp_path / "out")))


def test_a_model_without_its_report_or_the_other_way_round_is_made_again(tmp_path: Path) -> None:
    one, output = request(tmp_path / "in"), Output(str(tmp_path / "out"))
    train(one, output)
    before = tree(tmp_path / "out")
    for name in ("model.bin", "model.json"):
        (tmp_path / "out" / name).unlink()
        train(one, output)
        assert tree(tmp_path / "out") == before
    (tmp_path / "out/model.json").write_text("{")
    with pytest.raises(DataError, match=r"model\.json: damaged report of a classifier .*delete it to train again"):
        train(one, output)


def test_s3_in_and_out(tmp_path: Path, s3: S3Server) -> None:
    local = two_kinds(tmp_path / "in")
    clean = train(request(tmp_path / "in"), Output(str(tmp_path / "out")))
    for one in local:
        s3.file(f"labelled/{one.shard.name}").write_bytes(Path(one.shard.path).read_bytes())
    remote = [replace(one, shard=list_shards([s3.uri(f"labelled/{one.shard.name}")])[0]) for one in local]
    report = train(request(tmp_path / "in", shards=remote), Output(s3.uri("model")))
    assert report == clean
    assert s3.file("model/model.bin").read_bytes() == (tmp_path / "out/model.bin").read_bytes()


def test_documents_of_one_kind_are_refused_before_training(tmp_path: Path) -> None:
    shards = two_kinds(tmp_path / "in")
    only = [replace(one, label=True) for one in shards]
    with pytest.raises(ConfigError, match=r"no document is training negative \(training positive .*give documents of both kinds"):
        train(request(tmp_path / "in", shards=only), Output(str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_when_fasttext_fails_its_reason_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROGRAM", tmp_path / "broken.py")
    (tmp_path / "broken.py").write_text("raise SystemExit('Encountered NaN.')")
    with pytest.raises(RunFailed, match=r"fastText did not train \(Encountered NaN\.\); try a lower --learning-rate"):
        train(request(tmp_path / "in"), Output(str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_noticed_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = request(tmp_path / "in")
    monkeypatch.setattr(module, "_write_lines", None)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot write to .*file/model: .*file is no folder$"):
        train(one, Output(str(tmp_path / "file/model")))
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(StorageError, match=rf"cannot write to .*out: no permission to write in {tmp_path}$"):
        train(one, Output(str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"dim": 1}, "dim is 1; allowed: 2 to 2,147,483,647"),
        ({"epochs": 0}, "epochs is 0; allowed: 1 to 2,147,483,647"),
        ({"epochs": 10**12}, "epochs is 1000000000000; allowed: 1 to 2,147,483,647"),
        ({"seed": 3_000_000_000}, "seed is 3000000000; allowed: 0 to"),
        ({"learning_rate": 0.0}, "learning_rate is 0; allowed: above 0"),
    ],
)
def test_settings_are_refused_when_they_are_made(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Settings(**wrong)


@pytest.mark.parametrize("percent", [0.0, 100.0, -1.0])
def test_some_must_be_held_out_and_some_not(tmp_path: Path, percent: float) -> None:
    with pytest.raises(ConfigError, match=r"--held-out .*: allowed: above 0 and below 100 percent"):
        request(tmp_path, held_out_percent=percent)


def test_sigterm_ends_fasttext_too(tmp_path: Path) -> None:
    program = """
from pathlib import Path
from dolmino_cli.sources.classifier import training as module
module._PROGRAM = Path(CHILD)
module._fit(Path(), module.Settings())
"""
    assert sigterm_ends(program, tmp_path) == 128 + signal.SIGTERM
