"""Costs follow from tokens and rates, and what is not known is not guessed."""

from __future__ import annotations

import pytest

from dolmino_cli.cli.mix.rates import parse_rates
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.estimate import Rates, cost_of, run_of
from dolmino_cli.mix.manifest import Manifest, Source
from dolmino_cli.mix.plan import MixPlan, Population, plan
from dolmino_cli.mix.training import Training


def planned(population: Population | None) -> MixPlan:
    mix = Manifest(name="m", tokenizer="t", seed=1, sources={"a": Source(tokens=50_000_000_000)})
    return plan(mix, {"a": population} if population else {})


def test_steps_are_those_of_the_released_run() -> None:
    mix = Manifest(name="m", tokenizer="t", seed=1, sources={"a": Source(tokens=51_472_000_000)})
    run = run_of(plan(mix, {}), Training(batch_sequences=1024, steps=11_931))
    assert (run.batch_tokens, run.steps_of_an_epoch) == (4_194_304, 12_271)
    assert (run.seen_tokens, run.unseen_tokens) == (50_042_241_024, 51_472_000_000 - 50_042_241_024)


def test_llm_jps_hours_follow_from_their_rates() -> None:
    # Their Table 4: 55.80B tokens in 2.9 h (1.3B) and 17.6 h (7.7B) on 128 GPUs, hours rounded to a decimal.
    mix = Manifest(name="m", tokenizer="t", seed=1, sources={"a": Source(tokens=55_797_411_281)})
    hours = cost_of(plan(mix, {}), None, Rates(), token_bytes=4).train_hours
    assert hours["1.3B"] / 128 == pytest.approx(2.9, abs=0.05)
    assert hours["7.7B"] / 128 == pytest.approx(17.6, abs=0.05)


def test_a_source_with_arrays_need_not_be_made_again() -> None:
    arrays = cost_of(planned(Population(tokens=10**11, documents=10**8, kind="arrays")), None, Rates(), token_bytes=4)
    assert (arrays.filter_hours, arrays.retokenize_hours) == (None, None)
    assert arrays.array_bytes == 200_000_000_000
    assert arrays.row_bytes == 50_000_000 * 120
    printed = Population(tokens=10**11, documents=None, kind="published", bytes=4 * 10**11)
    made = cost_of(planned(printed), None, Rates(filter=100, retokenize=50), token_bytes=2)
    assert (made.filter_hours, made.retokenize_hours) == (pytest.approx(4000 / 3600), pytest.approx(8000 / 3600))
    assert (made.array_bytes, made.row_bytes) == (100_000_000_000, None)


def test_rates_of_your_own_replace_the_measured_ones() -> None:
    rates = parse_rates(["retokenize=60", "train=9500"])
    assert (rates.filter, rates.retokenize, dict(rates.train)) == (Rates().filter, 60, {"your model": 9500})
    for wrong in ("tokenize=5", "train", "train=fast", "train=0", "train=inf"):
        with pytest.raises(ConfigError, match="give NAME=NUMBER"):
            parse_rates([wrong])
