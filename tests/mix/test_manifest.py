"""A manifest is valid on construction: what cannot be planned is refused with the key and what is allowed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Expect, Manifest, Published, Source, exact, load

GOOD = """\
name: small
tokenizer: some/tokenizer
seed: 42
sources:
  web: {arrays: "s3://bucket/web", source_percent: 3.23}
  math/gsm: {source_percent: 400, published: {tokens: 1_000, documents: 10}, reference: "Table 1"}
expect: {mix_percent: {web: 47.2}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mix.yaml"
    path.write_text(text)
    return path


def test_a_file_becomes_the_whole_manifest(tmp_path: Path) -> None:
    assert load(write(tmp_path, GOOD)) == Manifest(
        name="small",
        tokenizer="some/tokenizer",
        seed=42,
        sources={
            "web": Source(arrays="s3://bucket/web", source_percent=3.23),
            "math/gsm": Source(source_percent=400.0, published=Published(tokens=1000, documents=10), reference="Table 1"),
        },
        expect=Expect(mix_percent={"web": 47.2}),
    )


def test_a_percent_is_the_decimal_that_was_written() -> None:
    assert exact(3.23) == Fraction(323, 100)
    assert exact(1e-4) == Fraction(1, 10_000)


@pytest.mark.parametrize(
    ("replaced", "by", "message"),
    [
        ("source_percent: 3.23", "source_percent: 3.23, tokens: 5", "source_percent and tokens given; give exactly one"),
        (", source_percent: 3.23", "", "no share given for web; give exactly one of source_percent, mix_percent, tokens, rest"),
        ("3.23", "-1", "source_percent is -1.0; it must be more than 0"),
        ("3.23", "0", "source_percent is 0.0; it must be more than 0"),
        ("source_percent: 3.23", "rest: 1", "rest is what the others leave of total_tokens, which is missing"),
        ("source_percent: 3.23", "max_epochs: 0, tokens: 1", "max_epochs is 0.0; it must be more than 0"),
        ("source_percent: 3.23", "min_tokens: 0, tokens: 1", "min_tokens is 0; it must be more than 0"),
        ("tokens: 1_000,", "tokens: 1_000, within: 1_000,", "published within is 1000"),
        ("seed: 42", "seed: 42\nnominal_tokens: 0", "nominal_tokens is 0"),
        ("seed: 42", "seed: 42\ngroups: {math: {source_percent: 5}}", "group math is the share of no source"),
        ("seed: 42", "seed: 42\ngroups: {math: {}}", "groups.math: no share given"),
        ("  web:", "  math/gsm/x: {tokens: 1}\n  web:", "source 'math/gsm' has others below it (math/gsm/x)"),
        ("seed: 42", "seed: 42\ntraining: {batch_sequences: 0}", "training batch_sequences is 0"),
        ("source_percent: 3.23", "mix_percent: 101", "at most 100 %"),
        ("seed: 42", "seed: 42\ntotal_tokens: 100", "nothing uses it; leave it out"),
        ("  web:", "  we b:", "source 'we b' is not allowed"),
        ("  web:", "  ../web:", "source '../web' is not allowed"),
        ("  web:", "  /web:", "source '/web' is not allowed"),
        ("name: small", "name: a/b", "name 'a/b' is not allowed"),
        ("{web: 47.2}", "{wbe: 47.2}", "expect.mix_percent names wbe; the sources are web, math/gsm"),
        ("tokens: 1_000,", "tokens: 0,", "published tokens is 0"),
        ("seed: 42", "seed: 42\ngroups: {web: {source_percent: 5}}", "web is a source and a group; a group is of sources below"),
        ("{web: 47.2}", "{web: -1}", "expect mix_percent of web is -1.0; it must be from 0 to 100"),
        ("expect: {", "expect: {tokens: 0, ", "expect tokens is 0; it must be more than 0"),
        ("seed: 42\n", "", "seed: missing"),
        ("source_percent: 400", "source_precent: 400", "did you mean 'source_percent'"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, replaced: str, by: str, message: str) -> None:
    assert replaced in GOOD
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, GOOD.replace(replaced, by)))
    assert message in str(caught.value)
    assert "mix.yaml:" in str(caught.value)


def mix_of(*percents: float, total: int | None = 1000) -> Manifest:
    sources = {f"s{i}": Source(mix_percent=percent) for i, percent in enumerate(percents)}
    return Manifest(name="m", tokenizer="t", seed=1, total_tokens=total, sources=sources)


def test_mix_percents_of_all_sources_sum_to_100() -> None:
    assert len(mix_of(33.3, 33.3, 33.4).sources) == 3  # as decimals; as binary fractions they do not sum to 100
    assert len(mix_of(33.3333333, 33.3333333, 33.3333333).sources) == 3
    with pytest.raises(ConfigError, match=r"sum to 99\.9; they must sum to 100"):
        mix_of(33.3, 33.3, 33.3)
    with pytest.raises(ConfigError, match="sum to 110; they must sum to 100"):
        mix_of(60, 50)


def test_a_source_beside_too_many_mix_percents_is_refused() -> None:
    sources = {"a": Source(mix_percent=70), "b": Source(mix_percent=40), "c": Source(tokens=5)}
    with pytest.raises(ConfigError, match="sum to 110; nothing is left for the others"):
        Manifest(name="m", tokenizer="t", seed=1, total_tokens=1000, sources=sources)
