"""A microanneal is copies of sources, filled up with web; the bundled ones are what the function makes of the same arguments."""

from __future__ import annotations

import dataclasses

import pytest

from dolmino_cli import strict_yaml
from dolmino_cli.bundled import bundled_names, find
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Group, Manifest, Published, Source, load
from dolmino_cli.mix.microanneal import check_web, microanneal, start_of
from dolmino_cli.mix.plan import plan
from dolmino_cli.mix.populations import published_populations
from dolmino_cli.mix.training import LearningRate, Training
from dolmino_cli.mix.write_manifest import manifest_text

TRAINING = Training(batch_sequences=1024, learning_rate=LearningRate(start=6.1499e-5))
PROBLEM_SOLVING = "math/tinygsm-mind/problem-solving"
# OLMo 2 paper, Table 12: the mix its sizes are of, copies, web ratio.
TABLE_12 = {
    "microanneal-math-35-65": (None, {"math": 1}, 65.0),
    "microanneal-math-10-90": (None, {"math": 1}, 88.3),
    "microanneal-math-2x": (None, {"math": 2}, 49.3),
    "microanneal-math-4x": (None, {"math": 4}, 48.6),
    "microanneal-tinygsm-inline": (None, {"math/tinygsm": 1}, 47.9),
    "microanneal-tinygsm-mind": ("dolmino-1124-50b", {PROBLEM_SOLVING: 1}, 52.1),
    "microanneal-tinygsm-mind-2x": ("dolmino-1124-50b", {PROBLEM_SOLVING: 2}, 51.3),
}


def base(**sizes: int) -> Manifest:
    names = {"web": 1000, "math/a": 60, "math/b": 40} | sizes
    sources = {name: Source(tokens=1, published=Published(tokens=size), max_epochs=9) for name, size in names.items()}
    return Manifest(name="base", tokenizer="tiny", seed=7, sources=sources)


def made(copies: dict[str, float], *, web: str = "web", percent: float = 50, other: frozenset[str] = frozenset()) -> Manifest:
    return microanneal(base(), name="m", copies=copies, web=web, web_percent=percent, training=TRAINING, other_sources=other)


def taken(manifest: Manifest) -> dict[str, int]:
    return {source.name: source.tokens for source in plan(manifest, published_populations(manifest)).sources}


@pytest.mark.parametrize("name", [name for name in bundled_names("mixes") if name.startswith("microanneal-")])
def test_the_bundled_microanneals_are_what_the_same_arguments_make(name: str) -> None:
    bundled = load(find("mixes", name))
    origin, copies, ratio = TABLE_12[name]
    found = microanneal(
        load(find("mixes", origin or name)), name=name, copies=copies, web="dclm", web_percent=ratio, training=TRAINING
    )
    assert dataclasses.replace(bundled, expect=None, reference=None) == dataclasses.replace(found, reference=None)


def test_copies_are_passes_and_the_web_makes_up_its_part_of_what_they_take() -> None:
    assert taken(made({"math": 2})) == {"math/a": 120, "math/b": 80, "web": 200}
    assert taken(made({"math": 1}, percent=80)) == {"math/a": 60, "math/b": 40, "web": 400}
    assert taken(made({"math/b": 0.5}, percent=75)) == {"math/b": 20, "web": 60}


def test_a_source_of_a_group_may_have_copies_of_its_own() -> None:
    manifest = made({"math": 1, "math/b": 4})
    assert manifest.groups == {"math": Group(source_percent=100)}
    assert taken(manifest) == {"math/a": 60, "math/b": 160, "web": 220}


def test_only_sizes_and_arrays_are_taken_over_from_the_mix_and_the_web_is_bounded() -> None:
    assert made({"math/a": 1}).sources == {
        "math/a": Source(source_percent=100, published=Published(tokens=60)),
        "web": Source(mix_percent=50, max_epochs=1, published=Published(tokens=1000)),
    }


def test_a_source_with_arrays_need_not_be_in_the_mix() -> None:
    assert made({"mine": 2}, other=frozenset({"mine"})).sources["mine"] == Source(source_percent=200)


@pytest.mark.parametrize(
    ("copies", "web", "percent", "message"),
    [
        (
            {"maths": 1},
            "web",
            50,
            "source 'maths' is not in mix 'base', nor are there token arrays of that name",
        ),
        ({"math": 1}, "wbe", 50, "source 'wbe' is not in mix 'base'"),
        ({"math/a": 1}, "math", 50, "web 'math' is a group"),
        ({"math": 1}, "math/a", 50, "web 'math/a' is also in --source math"),
        ({"math": 1}, "web", 0, "the web ratio is 0 %"),
        ({"math": 1}, "web", 100, "the web ratio is 100 %"),
        ({"math": 0}, "web", 50, "copies of math is 0"),
        ({"math": float("nan")}, "web", 50, "copies of math is nan"),
    ],
)
def test_what_cannot_be_meant_is_refused(copies: dict[str, float], web: str, percent: float, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(copies, web=web, percent=percent)
    assert message in str(caught.value)


def test_a_web_that_does_not_suffice_is_named_with_what_it_lacks() -> None:
    enough = made({"math": 10})  # 1,000 tokens of each
    check_web(enough, published_populations(enough), "web")
    short = made({"math": 10.01})
    with pytest.raises(ConfigError, match="50 % of a mix beside 1,001 tokens is 1,001 tokens, it has 1,000"):
        check_web(short, published_populations(short), "web")
    with pytest.raises(ConfigError, match="web 'web' has neither token arrays nor published tokens"):
        check_web(short, {}, "web")


def test_a_chained_run_starts_at_the_rate_that_is_left() -> None:
    assert start_of(0) == 6.1499e-5
    assert start_of(5000) == pytest.approx(6.1499e-5 * (1 - 5000 / 11931), rel=1e-12)
    for step in (-1, 11_931):
        with pytest.raises(ConfigError, match="from 0 to 11,930"):
            start_of(step)


def test_a_manifest_is_written_as_it_is_read() -> None:
    manifest = dataclasses.replace(
        made({"math": 1, "math/b": 4}), name="null", description='a "b"', against="x", nominal_tokens=5
    )
    text = manifest_text(manifest, head="One.\nTwo.", comments={"groups.math": "why", "sources.web.share": "so"})
    assert strict_yaml.build(strict_yaml.compose_text(text, "m.yaml"), Manifest, "m.yaml") == manifest
    assert text.startswith('# One.\n# Two.\nname: "null"\n')
    assert "  math: {source_percent: 100}  # why\n" in text
    assert "    mix_percent: 50  # so\n" in text
