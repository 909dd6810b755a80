"""The bundled manifests say what was published; where a published table contradicts itself, by exactly how much."""

from __future__ import annotations

import re

import pytest

from dolmino_cli.bundled import bundled_folder, bundled_names, find
from dolmino_cli.mix.manifest import Manifest, load
from dolmino_cli.mix.plan import MixPlan, plan
from dolmino_cli.mix.populations import published_populations

# OLMo 2 paper, Table 13, and the LLM-jp blog's Table 2: Source % of 50B, 100B, 300B.
SOURCE_PERCENT = {
    "dclm": (3.23, 6.85, 20.78),
    "flan": (50, 100, 200),
    "stackexchange": (100, 200, 400),
    "pes2o": (5.15, 16.7, 100),
    "wiki": (100, 100, 400),
    "math": (100, 200, 400),
}
# OLMo 2 paper, Table 13: Mix %.
PAPER_MIX_PERCENT = {
    "dclm": (47.2, 50.2, 51.9),
    "flan": (16.6, 16.7, 11.3),
    "stackexchange": (2.45, 2.47, 1.68),
    "pes2o": (5.85, 9.52, 19.4),
    "wiki": (7.11, 3.57, 4.86),
    "math": (20.8, 17.5, 10.8),
}
# LLM-jp blog, Table 3: Mix %.
LLM_JP_MIX_PERCENT = {
    "dclm": ("47.57", "48.98", "50.57"),
    "flan": ("16.56", "16.08", "10.95"),
    "stackexchange": ("2.63", "2.55", "1.74"),
    "pes2o": ("5.80", "9.13", "18.61"),
    "wiki": ("6.98", "3.39", "4.62"),
    "math": ("20.46", "19.87", "13.52"),
}
SIZES = ("50b", "100b", "300b")
DOLMINO = [f"dolmino-1124-{size}" for size in SIZES]
LLM_JP = [f"llm-jp-dolmino-{size}" for size in SIZES]


def planned(name: str) -> tuple[Manifest, MixPlan]:
    manifest = load(find("mixes", name))
    return manifest, plan(manifest, published_populations(manifest))


def test_every_bundled_mix_is_named_after_its_file_and_listed_in_the_readme() -> None:
    names = bundled_names("mixes")
    assert set(DOLMINO + LLM_JP) <= set(names)
    assert [load(find("mixes", name)).name for name in names] == names
    readme = (bundled_folder("mixes") / "README.md").read_text()
    listed = re.findall(r"^\| `([^`]+)` \| ([0-9.]+)B \|", readme, re.MULTILINE)
    assert dict(listed) == {name: f"{planned(name)[1].tokens / 1e9:.1f}" for name in names}


@pytest.mark.parametrize("name", DOLMINO + LLM_JP)
def test_source_percents_are_those_of_the_table(name: str) -> None:
    column = SIZES.index(name.rsplit("-", 1)[1])
    manifest, _ = planned(name)
    assert {source: spec.source_percent for source, spec in manifest.sources.items()} == {
        source: percents[column] for source, percents in SOURCE_PERCENT.items()
    }
    assert manifest.expect is not None
    published = PAPER_MIX_PERCENT if name in DOLMINO else LLM_JP_MIX_PERCENT
    assert manifest.expect.mix_percent == {source: float(percents[column]) for source, percents in published.items()}


def test_the_paper_s_50b_mix_is_reproduced_within_a_tenth_of_a_point() -> None:
    # Its populations are printed to 2 or 3 digits (Table 5), which moves flan and wiki by 0.08 points.
    _, mix = planned("dolmino-1124-50b")
    differences = {row.name: round(float(row.mix_percent_difference or 0), 2) for row in mix.sources}
    assert differences == {"dclm": -0.01, "flan": -0.08, "stackexchange": 0.0, "pes2o": 0.01, "wiki": 0.08, "math": -0.01}
    assert mix.tokens == 51_467_500_000


@pytest.mark.parametrize(
    ("name", "tokens", "differences"),
    [
        (
            "dolmino-1124-100b",
            105_918_200_000,
            {"dclm": -1.57, "flan": -0.65, "stackexchange": -0.09, "pes2o": -0.28, "wiki": -0.08, "math": 2.70},
        ),
        (
            "dolmino-1124-300b",
            311_505_600_000,
            {"dclm": -1.73, "flan": -0.38, "stackexchange": -0.06, "pes2o": -0.59, "wiki": -0.11, "math": 2.94},
        ),
    ],
)
def test_the_paper_s_larger_mixes_contradict_their_own_source_percents(
    name: str, tokens: int, differences: dict[str, float]
) -> None:
    """Table 13's Mix % follow from counting TinyGSM-MIND two-students (3.41B) once; its Source % say 200 and 400 for all math."""
    _, mix = planned(name)
    assert mix.tokens == tokens
    assert {row.name: round(float(row.mix_percent_difference or 0), 2) for row in mix.sources} == pytest.approx(
        differences, abs=0.011
    )
    copies = {"dolmino-1124-100b": 2, "dolmino-1124-300b": 4}[name]
    counted_once = mix.tokens - (copies - 1) * 3_410_000_000
    math = next(row for row in mix.sources if row.name == "math")
    math_percent = 100 * (math.tokens - (copies - 1) * 3_410_000_000) / counted_once
    assert math.expected_mix_percent is not None
    assert math_percent == pytest.approx(float(math.expected_mix_percent), abs=0.06)


@pytest.mark.parametrize("name", LLM_JP)
def test_llm_jp_s_table_is_reproduced_to_its_printed_digits(name: str) -> None:
    column = SIZES.index(name.rsplit("-", 1)[1])
    _, mix = planned(name)
    assert {row.name: f"{float(row.mix_percent):.2f}" for row in mix.sources} == {
        source: percents[column] for source, percents in LLM_JP_MIX_PERCENT.items()
    }
    assert f"{mix.tokens / 1e9:.1f}" == {"50b": "55.8", "100b": "114.9", "300b": "337.7"}[name.rsplit("-", 1)[1]]


@pytest.mark.parametrize("name", DOLMINO + LLM_JP)
def test_every_number_says_where_it_comes_from(name: str) -> None:
    lines = find("mixes", name).read_text().splitlines()
    numbers = [line for line in lines if re.match(r"\s+(source_percent|published):", line)]
    assert len(numbers) == 12
    assert [line for line in numbers if "#" not in line] == []
