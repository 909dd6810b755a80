"""The bundled web recipe, classifier included: both of its sides, narrow dtypes, killed runs, any number of workers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dolmino_cli.bundled import find
from dolmino_cli.errors import DataError
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline import shard_task
from dolmino_cli.pipeline.agreement import SAMPLE_DOCUMENTS
from dolmino_cli.pipeline.run import Run, execute, finish, plan_run
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import Recipe, load_recipe
from dolmino_cli.shards.listing import list_shards
from tests.cli.run import dolmino
from tests.pipeline.make import read_json, read_rows, tree, write_shard
from tests.stages.classifier_model import LESSON, plain_forward, texts
from tests.stages.fasttext_files import write_model
from tests.tokenizer.make import byte_level

SCORE = "fasttext_openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train_prob"  # what DCLM's shards carry


@pytest.fixture(scope="module")
def written() -> list[str]:
    return [*texts(80, seed=5)[0], "cell theory " * 40, "", "cell", "  \n" + "théorie " * 12 + "x\n"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, written: list[str]) -> Path:
    """Two shards of documents; of every fourth the score that the shards carry is under the bound."""
    folder = tmp_path_factory.mktemp("in")
    lines = [
        json.dumps({"id": f"d{number}", "text": text, SCORE: 0.01 if number % 4 == 0 else 0.5}, ensure_ascii=False).encode()
        for number, text in enumerate(written)
    ]
    write_shard(folder / "a.jsonl.zst", lines[:50])
    write_shard(folder / "b.jsonl.zst", lines[50:])
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, edu_model: Path) -> list[str]:
    """What a bundled recipe needs to run here: models and a tokenizer of our own."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "quality.bin", ["</s>", *LESSON], ["__label__hq", "__label__cc"])
    return [
        f"repetitions.tokenizer={byte_level(folder / 'tokenizer.json')}",
        f"dclm_quality.model={folder / 'quality.bin'}",
        f"edu.model={edu_model}",
        "edu.max_tokens=64",
        "edu.device=cpu",
    ]


def run_all(recipe: Recipe, inputs: Path, output: Path, *, workers: int = 1) -> Run:
    run = plan_run(recipe, list_shards([str(inputs)]), str(output), Options())
    for _ in execute(run, Local(workers=workers)):
        pass
    finish(run)
    return run


def rows(output: Path) -> list[dict[str, object]]:
    return [row for name in ("a", "b") for row in read_rows(output / f"attributes/{name}.parquet")]


@pytest.mark.parametrize(("name", "bound"), [("dclm", 2), ("dclm-fw3", 3)])
def test_the_papers_side(
    name: str, bound: int, inputs: Path, written: list[str], settings: list[str], edu_model: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(find("filters", name), [*settings, "edu.dtype=float32"])
    run = run_all(recipe, inputs, tmp_path / "out")
    expected = plain_forward(edu_model, written)[:, 0]
    found = rows(tmp_path / "out")
    assert [row["reason"] for row in found].count("repeated_ngrams") == 1 and found[80]["reason"] == "repeated_ngrams"
    scored = [place for place, row in enumerate(found) if row["edu"] is not None]
    assert [place for place, row in enumerate(found) if row["reason"] in (None, "edu")] == scored
    assert np.abs(np.array([found[place]["edu"] for place in scored]) - expected[scored]).max() < 1e-4
    kept = [place for place, row in enumerate(found) if row["kept"]]
    assert kept == [place for place in scored if expected[place] >= bound] and 0 < len(kept) < len(scored)
    ledger = read_json(tmp_path / "out/ledger/a.jsonl.zst.json")
    assert ledger["engine"]["edu"]["dtype"] == "float32"  # type: ignore[index]
    assert "agreement" not in ledger["counts"]  # type: ignore[operator]
    share = 100 * len(kept) / len(written)
    published = {2: "20.3 ± 2 %", 3: "5.8 ± 1 %"}[bound]
    problems = read_json(tmp_path / "out/run.json")["unmet_expectations"]
    assert f"edu keeps {share:.1f} % of all documents, expected {published}" in problems  # type: ignore[operator]
    assert run.tally.retention_percent(len(recipe.decisions) - 1, "all") == pytest.approx(share)


def test_ai2s_side(inputs: Path, written: list[str], settings: list[str], edu_model: Path, tmp_path: Path) -> None:
    """float16, the raw logit from 2.0 up, 100 bytes of stripped text, the quality score in the shards."""
    import torch

    overrides = [setting for setting in settings if not setting.startswith("dclm_quality")]
    recipe = load_recipe(find("filters", "dclm"), overrides, "ai2")
    run_all(recipe, inputs, tmp_path / "out")
    half = plain_forward(edu_model, written, dtype=torch.float16)[:, 0]
    found = rows(tmp_path / "out")
    short = [place for place, row in enumerate(found) if row["reason"] == "trimmed_bytes"]
    assert short == [p for p, text in enumerate(written) if p % 4 and p != 80 and len(text.strip().encode()) < 100]
    assert 83 not in short and len(written[83].strip()) < 100, "bytes are counted, not characters"
    scored = [place for place, row in enumerate(found) if row["edu"] is not None]
    assert np.abs(np.array([found[place]["edu"] for place in scored]) - half[scored]).max() < 0.005
    assert [place for place in scored if found[place]["kept"]] == [p for p in scored if found[p]["edu"] >= 2]  # type: ignore[operator]
    assert read_json(tmp_path / "out/run.json")["loaded"]["edu"]["dtype"] == "float16"  # type: ignore[index]


def test_narrow_scores_are_compared_with_float32_in_the_summary(
    inputs: Path, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    narrow, wide = tmp_path / "narrow", tmp_path / "wide"
    said = dolmino(monkeypatch, capsys, "filter", "dclm", inputs, "-o", narrow, "--set", "edu.dtype=bfloat16", *options)
    assert dolmino(monkeypatch, capsys, "filter", "dclm", inputs, "-o", wide, "--set", "edu.dtype=float32", *options).code == 0
    counts = [read_json(narrow / f"ledger/{name}.jsonl.zst.json")["counts"] for name in ("a", "b")]
    near = 0
    for name, count in zip("ab", counts, strict=True):
        pairs = [
            (few["edu"], exact["edu"])
            for few, exact in zip(*(read_rows(out / f"attributes/{name}.parquet") for out in (narrow, wide)), strict=True)
            if few["edu"] is not None
        ]
        off = [abs(few - exact) for few, exact in pairs]  # type: ignore[operator]
        sample = off[:SAMPLE_DOCUMENTS]
        agreement = count["agreement"]["edu"]  # type: ignore[index]
        assert agreement["documents"] == len(sample) and agreement["unlike"] == 0
        assert agreement["largest"] == pytest.approx(max(sample), rel=1e-4)
        assert agreement["total"] == pytest.approx(sum(sample), rel=1e-4)
        near += sum(abs(few - 2) <= max(sample) for few, _ in pairs)  # type: ignore[operator]
    documents = sum(count["agreement"]["edu"]["documents"] for count in counts)  # type: ignore[index]
    total = sum(count["agreement"]["edu"]["total"] for count in counts)  # type: ignore[index]
    largest = max(count["agreement"]["edu"]["largest"] for count in counts)  # type: ignore[index]
    assert read_json(narrow / "run.json")["counts"]["steps"][-1]["near"] == near  # type: ignore[index]
    assert (
        f"edu, compared with its reference on {documents} documents: mean difference {total / documents:.2g}, "
        f"largest {largest:.2g}; {near} documents lie that close to a bound"
    ) in " ".join(said.out.split())
    assert " % of all " in said.out and "20.3 ± 2 %" in said.out


def test_a_dry_run_writes_nothing(
    inputs: Path, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    said = dolmino(monkeypatch, capsys, "filter", "dclm", inputs, "-o", tmp_path / "out", "--dry-run", *options)
    assert said.code == 0 and "dropped: edu (edu >= 2)" in said.out
    assert not (tmp_path / "out").exists()


@pytest.mark.slow  # two worker processes import torch
def test_a_killed_run_resumes_and_workers_change_no_byte(
    inputs: Path, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(find("filters", "dclm"), settings)
    whole = run_all(recipe, inputs, tmp_path / "two", workers=2)
    real = shard_task.save

    def killed(output: object, entry: object) -> None:
        if entry.name.startswith("b"):  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        real(output, entry)  # type: ignore[arg-type]

    monkeypatch.setattr(shard_task, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        run_all(recipe, inputs, tmp_path / "one")
    monkeypatch.undo()
    resumed = run_all(recipe, inputs, tmp_path / "one")
    assert [task.shard.name for task in resumed.tasks] == ["b.jsonl.zst"]
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert resumed.tally == whole.tally


def test_a_score_that_is_not_a_number_stops_the_run(
    inputs: Path, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dolmino_cli.stages.classifier_model import ClassifierModel

    monkeypatch.setattr(ClassifierModel, "logits", lambda _, text: np.full((len(text), 1), np.nan, np.float32))
    recipe = load_recipe(find("filters", "dclm"), settings)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl.zst").write_bytes((inputs / "a.jsonl.zst").read_bytes())
    with pytest.raises(DataError, match=r"a\.jsonl\.zst:\d+: document 'd\d+' has no score 'edu'"):
        run_all(recipe, tmp_path / "in", tmp_path / "out")
