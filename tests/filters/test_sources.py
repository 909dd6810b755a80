"""Every source of the paper has a recipe that runs on every side of it, and a place in docs/sources.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dolmino_cli.bundled import bundled_names, find
from dolmino_cli.recipe import load_recipe
from tests.filters.make import document, run_recipe, stand_ins
from tests.pipeline.make import read_json, read_lines, write_shard

SOURCES_PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"

# OLMo 2 paper, Table 5, the high quality subset and the math mix, in its order: row -> recipe.
TABLE_5 = {
    "DCLM-Baseline, FastText top 7%, FineWeb >= 2": "dclm",
    "FLAN from Dolma 1.7, decontaminated": "flan",
    "peS2o from Dolma 1.7": "pes2o",
    "Wikipedia & Wikibooks from Dolma 1.7": "wiki",
    "Stack Exchange, 09/30/2024 dump, curated Q&A data": "stackexchange",
    "TinyGSM-MIND": "tinygsm",
    "MathCoder2 Synth Books Ajibawa-2023 M-A-P Matrix": "mathcoder2-synth",
    "Metamath OWM-filtered": "metamath",
    "CodeSearchNet OWM-filtered": "codesearchnet-owm",
    "GSM8K Train split": "gsm8k",
}
# Its math mix, every row in its order: row -> sections of the page, one for each thing that makes a part of it.
MATH_MIX = {
    "TuluMath": ["tulumath"],
    "Dolmino SynthMath": ["synthmath-arithmetic", "gsm8k-renumbered", "gsm8k-mind"],
    "TinyGSM-MIND": ["tinygsm", "tinygsm-mind"],
    "MathCoder2 Synth Books Ajibawa-2023 M-A-P Matrix": ["mathcoder2-synth"],
    "Metamath OWM-filtered": ["metamath"],
    "CodeSearchNet OWM-filtered": ["codesearchnet-owm"],
    "GSM8K Train split": ["gsm8k"],
}
# Table 10, every row in its order.
TABLE_10 = {
    "DCLM from pretrain": "dclm-pretrain",
    "DCLM FT top 7%": "dclm-ft7",
    "DCLM FT top 7%, FineWeb >= 3": "dclm-fw3",
    "DCLM FT top 7%, FineWeb >= 2": "dclm",
    "Flan, Dolma 1.7 decontaminated": "flan",
    "Stack Exchange, 2024/09/30 dump, Q&A format": "stackexchange",
    "Starcoder from pretrain": "starcoder",
    "CodeSearchNet unfiltered": "codesearchnet",
    "Gutenberg Books from Dolma 1.7": "gutenberg",
    "peS2o from pretrain": "pes2o",
    "Wikipedia from pretrain": "wiki",
    "StackExchange from RedPajama v1": "redpajama-stackexchange",
    "ArXiv from pretrain": "arxiv",
    "Algebraic Stack from pretrain": "algebraicstack",
    "OpenWebMath from pretrain": "openwebmath",
    "GSM8k train split": "gsm8k",
    "Mathpile commercial subset, train split": "mathpile",
    "AutoMathText unfiltered": "automathtext",
}
RECIPES = sorted({*TABLE_5.values(), *TABLE_10.values()})
SIDES = [
    (name, profile)
    for name in RECIPES
    if name in bundled_names("filters")
    for profile in load_recipe(find("filters", name)).profiles or (None,)
]

PROSE = "The harbour town wakes slowly, and gulls quarrel over what the first boats have left behind on the quay. " * 2
DOCUMENTS = [
    document(f"d{number}", text, max_stars_count=5, split="train", question_score=9, answer_score=9)
    for number, text in enumerate([PROSE, PROSE + "0x" * 31, PROSE + "0x" * 32, PROSE + "0x" * 33])
]
ODD_FIELD = b', "fasttext_openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train_prob": 0.5}'


@pytest.mark.parametrize("row", [*TABLE_5.items(), *TABLE_10.items()], ids="/".join)
def test_every_row_has_a_recipe_with_a_section_of_its_own(row: tuple[str, str]) -> None:
    _, name = row
    assert name in bundled_names("filters")
    section = SOURCES_PAGE.read_text().partition(f"\n## `{name}`")[2].partition("\n## ")[0]
    assert f"dolmino filter {name} " in section, "an example to copy"
    assert "Paper:" in section
    assert "Executed:" in section
    assert f"Licence: {load_recipe(find('filters', name)).licence}" in " ".join(section.split())


@pytest.mark.parametrize("row", MATH_MIX)
def test_every_part_of_the_math_mix_has_a_section_that_makes_it(row: str) -> None:
    for name in MATH_MIX[row]:
        section = SOURCES_PAGE.read_text().partition(f"\n## `{name}`")[2].partition("\n## ")[0]
        assert re.search(r"^dolmino (filter|rewrite|generate) ", section, re.M), "an example to copy"
        assert all(f"- {word}: " in section for word in ("Paper", "Executed", "Licence"))


@pytest.mark.parametrize(("name", "profile"), SIDES, ids=str)
def test_every_recipe_runs_on_every_side(tmp_path: Path, name: str, profile: str | None) -> None:
    lines = [line[:-1] + ODD_FIELD for line in DOCUMENTS]
    shard = write_shard(tmp_path / "in/a.jsonl.zst", [*lines, b'{"id": "no text"}'])
    overrides = stand_ins(load_recipe(find("filters", name), (), profile), tmp_path)
    ran = run_recipe(name, profile, [shard], tmp_path / "out", overrides, on_error="quarantine")
    assert list(ran.reasons) == ["d0", "d1", "d2", "d3"]
    assert ran.counts["quarantined"] == 1
    kept = [line for line, reason in zip(lines, ran.reasons.values(), strict=True) if reason is None]
    assert read_lines(tmp_path / "out/documents/a.jsonl.zst") == kept, "kept as they were read, in order"
    summary = read_json(tmp_path / "out/run.json")
    recipe = load_recipe(find("filters", name), overrides, profile)
    assert (summary["source"], summary["licence"]) == (recipe.source, recipe.licence)
    assert summary["recipe"].get("profile") == profile  # type: ignore[attr-defined]


# 31, 32 and 33 repeats, and none: what each side of a rule on repetitions keeps, and that the others have none.
REPEATS_KEPT = {
    ("dclm-pretrain", "paper"): ["d0", "d1"],
    ("dclm-pretrain", "ai2"): ["d0", "d1", "d2"],
    ("pes2o", None): ["d0", "d1"],
    ("wiki", None): ["d0", "d1"],
    ("arxiv", None): ["d0", "d1"],
    ("algebraicstack", None): ["d0", "d1"],
    ("openwebmath", None): ["d0", "d1"],
    ("gutenberg", None): ["d0", "d1", "d2", "d3"],
    ("redpajama-stackexchange", None): ["d0", "d1", "d2", "d3"],
    ("codesearchnet", None): ["d0", "d1", "d2", "d3"],
    ("mathpile", None): ["d0", "d1", "d2", "d3"],
    ("automathtext", None): ["d0", "d1", "d2", "d3"],
}


@pytest.mark.parametrize(("name", "profile"), REPEATS_KEPT, ids=str)
def test_repetitions_are_dropped_where_there_is_a_rule(tmp_path: Path, name: str, profile: str | None) -> None:
    shard = write_shard(tmp_path / "in/a.jsonl.zst", DOCUMENTS)
    overrides = stand_ins(load_recipe(find("filters", name), (), profile), tmp_path)
    assert run_recipe(name, profile, [shard], tmp_path / "out", overrides).kept == REPEATS_KEPT[name, profile]


def test_the_sides_of_dclm_begin_with_what_the_paper_says_and_what_was_run() -> None:
    sides = {profile: load_recipe(find("filters", "dclm"), (), profile) for profile in ("paper", "ai2")}
    rules = {profile: [decision.rule for decision in recipe.decisions[:2]] for profile, recipe in sides.items()}
    assert rules == {
        "paper": ["repetitions < 32", "dclm_quality >= 0.03311014"],
        "ai2": ["repetitions <= 32", "dclm_quality >= 0.03311014"],
    }
    assert [type(measure).__name__ for measure in sides["paper"].measures[:2]] == ["RepeatedNgrams", "FastText"]
    assert [type(measure).__name__ for measure in sides["ai2"].measures[:2]] == ["RepeatedNgrams", "Reuse"]
