"""A table's cell contradicts a plan only when no number that rounds to it, and to the inputs, would make it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dolmino_cli.mix.manifest import Expect, Manifest, Published, Source
from dolmino_cli.mix.plan import plan
from dolmino_cli.mix.populations import published_populations
from dolmino_cli.mix.printed import Interval, as_printed, possible_mix_percent, possible_tokens


@pytest.mark.parametrize(
    ("number", "low", "high"),
    [(47.2, "47.15", "47.25"), (2.45, "2.445", "2.455"), (17.0, "16.5", "17.5"), (1e-05, "0.000005", "0.000015")],
)
def test_a_printed_number_is_anything_that_rounds_to_it(number: float, low: str, high: str) -> None:
    assert as_printed(number) == Interval(low=Fraction(low), high=Fraction(high))


def mix(wiki: float = 100) -> Manifest:
    sources = {
        "web/a": Source(source_percent=3.2, published=Published(tokens=1000, within=5)),
        "wiki": Source(source_percent=wiki, published=Published(tokens=68)),
    }
    return Manifest(name="m", tokenizer="t", seed=1, sources=sources, expect=Expect(mix_percent={"wiki": 68.0}))


def test_the_rounding_of_sizes_and_shares_is_carried_into_the_mix() -> None:
    manifest = mix()
    planned = plan(manifest, published_populations(manifest))
    tokens = possible_tokens(manifest, planned)
    # 3.15 % of 995 to 3.25 % of 1005; a whole pass over an exact count is exact.
    assert tokens["web/a"] == Interval(low=Fraction("31.3425"), high=Fraction("32.6625"))
    assert tokens["wiki"] == Interval(low=Fraction(68), high=Fraction(68))
    web = possible_mix_percent(planned.groups[0], tokens)
    assert web == Interval(
        low=100 * Fraction("31.3425") / (Fraction("31.3425") + 68), high=100 * Fraction("32.6625") / (Fraction("32.6625") + 68)
    )
    assert web.meets(as_printed(32.0))
    assert not web.meets(as_printed(32.6))


def test_the_rest_may_be_off_by_the_rounding_of_all_others() -> None:
    sources = {"web": Source(rest=1), "code": Source(mix_percent=20.5), "wiki": Source(mix_percent=4.5)}
    manifest = Manifest(name="m", tokenizer="t", seed=1, sources=sources, total_tokens=1000)
    planned = plan(manifest, {})
    tokens = possible_tokens(manifest, planned)
    assert tokens["code"] == Interval(low=Fraction("204.5"), high=Fraction("205.5"))
    assert tokens["web"] == Interval(low=Fraction(749), high=Fraction(751))
    web = possible_mix_percent(planned.sources[0], tokens)
    assert web == Interval(low=Fraction("74.9"), high=Fraction("75.1"))
    assert web.meets(as_printed(75.1))  # 75.05 and more
    assert not web.meets(as_printed(75.2))
