"""The mixes as they were run: what the released configs and LLM-jp's scripts sum to, and how that differs from the tables."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dolmino_cli.mix.estimate import run_of
from dolmino_cli.report.mix_advice import variant_advice
from tests.mix.published import SIZES, TABLE_13, like, planned, row_of, rows_of

# The released configs, every path as often as it is listed: total, what training saw of it, Mix % in the order of Table 13.
AS_RUN = {
    "50b": ("51.472B", "97.2", ("47.23", "16.59", "2.45", "5.85", "7.11", "20.77")),
    "100b": ("112.944B", "88.6", ("45.6", "15.1", "2.23", "8.64", "6.48", "21.95")),
    "300b": ("311.418B", "96.4", ("50.2", "11.0", "1.62", "18.8", "4.70", "13.7")),
}


@pytest.mark.parametrize("size", SIZES)
def test_as_run_mixes_have_the_released_configs_totals(size: str) -> None:
    total, consumed, percents = AS_RUN[size]
    manifest, mix = planned(f"dolmino-1124-{size}-as-run")
    assert like(total, Fraction(mix.tokens)) == total
    rows = [row_of(mix, row).mix_percent for row, *_ in rows_of(TABLE_13)]
    assert tuple(like(text, value) for text, value in zip(percents, rows, strict=True)) == percents
    assert manifest.expect is not None and manifest.nominal_tokens == 10**9 * int(size.removesuffix("b"))
    assert like(total, Fraction(manifest.expect.tokens or 0)) == total
    names = [row for row, *_ in rows_of(TABLE_13)]
    assert manifest.expect.mix_percent == {row: float(text) for row, text in zip(names, percents, strict=True)}
    assert manifest.training is not None
    run = run_of(mix, manifest.training)
    assert like(consumed, Fraction(100 * run.seen_tokens, mix.tokens)) == consumed


def test_the_as_run_mix_of_100b_is_told_from_the_paper_s_by_its_copies() -> None:
    said = "\n".join(variant_advice(planned("dolmino-1124-100b")[1], planned("dolmino-1124-100b-as-run")[1]))
    assert "wiki is taken twice, in dolmino-1124-100b once" in said
    assert "math/tinygsm-mind/two-students is taken 3 times, in dolmino-1124-100b twice" in said
    assert "math/codesearchnet-owm is in dolmino-1124-100b and not in dolmino-1124-100b-as-run" in said


def test_llm_jp_s_run_of_100b_is_the_sum_of_its_script() -> None:
    manifest, mix = planned("dolmino-1124-100b-llm-jp-as-run")
    assert abs(mix.tokens - 113_460_356_693) <= 13  # awk rounds the share of every file
    assert manifest.expect is not None and manifest.expect.tokens == 113_460_356_693
    assert manifest.nominal_tokens == 100_000_000_000
    table = planned("dolmino-1124-100b-llm-jp")[1]
    assert table.tokens - mix.tokens == 1_464_772_187  # all of StackExchange, once
    assert manifest.training is not None
    assert manifest.training.steps == -(-mix.tokens // manifest.training.batch_tokens) == 13_526
    assert planned("dolmino-1124-50b-llm-jp")[1].tokens == pytest.approx(55_797_411_281, abs=13)
