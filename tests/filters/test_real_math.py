"""A classifier trained on real mathematics and real other text, and what the three recipes that use one keep with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.storage import Output
from dolmino_cli.sources.classifier.labelled import LabelledShard
from dolmino_cli.sources.classifier.training import Settings, Training, train
from tests.filters.make import run_recipe
from tests.filters.test_real_gsm8k import rows
from tests.pipeline.make import write_shard

SOURCES_PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"
MATH = (
    "math/planetmath-0000.jsonl.zst math/planetmath-0001.jsonl.zst math/stacks-project-0000.jsonl.zst"
    " math/hott-book-0000.jsonl.zst"
)
WORD_PROBLEMS = "tinygsm/GPT_4.1_mini.jsonl.zst"
OTHER = (
    "web/c4-0000.jsonl.gz web/openwebtext-0000.jsonl.zst web/movie_reviews-0000.jsonl.zst web/sms_spam-0000.jsonl.zst"
    " web/peps-0000.jsonl.zst academic/scitldr_abstracts-0000.jsonl.zst wiki/enwiki-history-0000.jsonl.zst"
)
SETTINGS = Settings(dim=16, buckets=20_000, epochs=5, learning_rate=0.5, word_ngrams=2, min_count=3, threads=1, seed=0)

Trained = tuple[str, dict[str, Any]]


def shards(folder: Path, names: str, label: bool) -> list[LabelledShard]:
    paths = [str(folder / name) for name in names.split()]
    return [LabelledShard(shard=shard, label=label) for shard in list_shards(paths)]


@pytest.fixture(scope="module")
def trained(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The model's path and its report."""
    pytest.importorskip("fasttext", reason="needs the extra [fasttext]")
    folder = tmp_path_factory.mktemp("math")
    problems = [json.dumps({"text": row["user"]}).encode() for row in rows(shared_data / WORD_PROBLEMS)]
    write_shard(folder / "problems.jsonl.zst", problems)
    training = Training(
        shards=shards(shared_data, MATH, True) + shards(folder, "problems.jsonl.zst", True) + shards(shared_data, OTHER, False),
        labels=None,
        settings=SETTINGS,
        newlines="dclm",
        held_out_percent=10.0,
        seed=0,
        on_error="fail",
    )
    return str(folder / "out/model.bin"), train(training, Output(str(folder / "out")))


def row_of_the_docs(*cells: str) -> list[float]:
    """The numbers of the row of docs/sources.md that begins with `cells`; percents as they stand."""
    start = f"| {' | '.join(cells)} |"
    (line,) = (line for line in SOURCES_PAGE.read_text().splitlines() if line.startswith(start))
    return [float(cell.strip(" %").replace(",", "")) for cell in line.removeprefix(start).strip("| ").split("|")]


@pytest.mark.slow
def test_the_figures_on_held_out_texts(trained: Trained) -> None:
    _, report = trained
    judged, used = report["judged"], report["counts"]["used"]
    assert row_of_the_docs("texts") == [used[side] for side in used]
    assert judged["auc"] == pytest.approx(*row_of_the_docs("AUC"), abs=0.003)
    assert 0.98 < judged["auc"] < 1, "real text is not told apart without a fault"
    for row in judged["thresholds"]:
        if row["threshold"] in (0.1, 0.5, 0.9):
            figures = [100 * row[name] for name in ("precision", "recall", "kept")]
            assert figures == pytest.approx(row_of_the_docs(f"at least {row['threshold']}"), abs=1.0), row


def metamathqa(data: Path, folder: Path) -> Path:
    """GSM8K's train split as MetaMathQA has its rows: that set was made of it, in part."""
    made = [{"query": row["question"], "response": row["answer"]} for row in rows(data / "evals/raw/gsm8k/train.jsonl.zst")]
    return write_shard(folder / "in/qa.jsonl.zst", [json.dumps(row).encode() for row in made])


APPLIED = {
    "GSM8K train, as MetaMathQA's rows": ("metamath", ""),
    "MATH, problems only": ("metamath", "evals/normalized/math.jsonl.gz"),
    "Metamath proofs, New Foundations": ("metamath", "math/metamath/nf-0000.jsonl.zst"),
    "CodeSearchNet, Python": ("codesearchnet-owm", "code/codesearchnet_python.docs.jsonl.zst"),
    "MBXP, other languages": ("codesearchnet-owm", "code/mbxp-0000.jsonl.zst"),
    "arXiv papers": ("mathcoder2-synth", "academic/redpajama_arxiv-0000.jsonl.zst academic/unarxive-0000.jsonl.zst"),
    "articles of PLOS": ("mathcoder2-synth", "academic/plos-0000.jsonl.zst"),
    "web pages": ("mathcoder2-synth", "web/html_main-0000.jsonl.zst"),
    "Gutenberg and speeches": ("mathcoder2-synth", "books/"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLIED)
def test_what_the_recipes_keep(tmp_path: Path, shared_data: Path, trained: Trained, name: str) -> None:
    recipe, files = APPLIED[name]
    inputs = [shared_data / file for file in files.split()] or [metamathqa(shared_data, tmp_path)]
    counts = run_recipe(recipe, None, inputs, tmp_path / "out", [f"math.model={trained[0]}"]).counts
    documents, kept, percent = row_of_the_docs(f"`{recipe}`", name)
    assert counts["in"] == documents
    assert counts["kept"] == pytest.approx(kept, abs=1 + documents / 100), "single documents may differ by the machine"
    assert percent == round(100 * kept / documents, 1)
