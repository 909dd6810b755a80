"""What a plan warns of, and what it does not warn of."""

from __future__ import annotations

from dolmino_cli.mix.estimate import run_of
from dolmino_cli.mix.manifest import Expect, Manifest, Published, Source
from dolmino_cli.mix.plan import MixPlan, Population, plan
from dolmino_cli.mix.populations import published_populations
from dolmino_cli.mix.training import Training
from dolmino_cli.report.mix_advice import advice, variant_advice


def lines(
    sources: dict[str, Source],
    *,
    total: int | None = None,
    nominal: int | None = None,
    expect: dict[str, float] | None = None,
    training: Training | None = None,
    counted: bool = False,
) -> list[str]:
    manifest = Manifest(
        name="m",
        tokenizer="t",
        seed=1,
        sources=sources,
        total_tokens=total,
        nominal_tokens=nominal,
        expect=Expect(mix_percent=expect) if expect else None,
    )
    populations = published_populations(manifest)
    if counted:
        populations = {name: Population(tokens=p.tokens, documents=None, kind="arrays") for name, p in populations.items()}
    planned = plan(manifest, populations)
    return list(advice(manifest, planned, run_of(planned, training) if training else None))


def source(tokens: int, within: int = 0, **share: float) -> Source:
    return Source(published=Published(tokens=tokens, within=within), **share)  # type: ignore[arg-type]


def test_a_mix_with_nothing_to_say_is_silent() -> None:
    training = Training(batch_sequences=1, sequence_length=10)
    sources = {"a": source(100, source_percent=400), "b": source(100, source_percent=100)}
    assert lines(sources, nominal=500, expect={"a": 80.0}, training=training) == []


def test_a_source_of_which_a_scale_leaves_nothing_is_named() -> None:
    manifest = Manifest(name="m", tokenizer="t", seed=1, sources={"a": Source(tokens=4), "b": Source(tokens=4000)})
    assert list(advice(manifest, plan(manifest, {}, scale=0.1), None)) == [
        "nothing is taken of a: at scale 0.1 less than half a token is left of it"
    ]


def test_a_published_total_that_is_not_what_the_shares_make() -> None:
    def said(tokens: int) -> list[str]:
        manifest = Manifest(name="m", tokenizer="t", seed=1, sources={"a": Source(tokens=1000)}, expect=Expect(tokens=tokens))
        return [line for line in advice(manifest, plan(manifest, published_populations(manifest)), None) if "published" in line]

    assert said(1010) == []
    assert said(900) == ["the published total contradicts the shares: 900 tokens, planned 1,000"]


def test_a_source_seen_too_often_and_one_that_is_exhausted() -> None:
    assert lines({"a": source(100, source_percent=401)}) == [
        "a is seen 4.01 times, more than 4: repeating that often may not help"
    ]
    assert lines({"a": source(100, mix_percent=60.0), "b": source(100, source_percent=100)}) == [
        "a is exhausted: the plan takes 150 tokens of the 100 that it has, so it is seen 1.5 times"
    ]


def test_a_total_that_is_not_its_names() -> None:
    (line,) = lines({"a": source(112_944_000_000, source_percent=100)}, nominal=100_000_000_000)
    assert line == "the name says 100.00B tokens, the plan takes 112.94B (+12.9 %)"


def test_published_shares_that_contradict_each_other() -> None:
    sources = {"a": source(100, within=1, source_percent=100), "b": source(100, source_percent=100)}
    assert lines(sources, expect={"a": 49.8, "b": 50.2}) == []
    (line,) = lines(sources, expect={"a": 49.5, "b": 50.2})
    assert line == "the published Mix % contradict the shares, beyond rounding: a 49.5 published, 50 planned"
    assert lines(sources, expect={"a": 49.5}, counted=True) == []  # other documents: no contradiction of the table


def test_tokens_that_no_step_sees_and_a_mix_smaller_than_a_step() -> None:
    sources = {"a": source(1000, source_percent=100)}
    (line,) = lines(sources, training=Training(batch_sequences=1, sequence_length=10, steps=90))
    assert line == "training stops after 90 steps of 100: 900 tokens are seen, 100 (10.0 %) never"
    assert lines(sources, training=Training(batch_sequences=3, sequence_length=10)) == []  # 33 steps, 10 tokens fill none
    (line,) = lines(sources, training=Training(batch_sequences=1, sequence_length=10, steps=110))
    assert line == "training goes on after an epoch: 110 steps, the mix has 100"
    (line,) = lines(sources, training=Training(batch_sequences=200, sequence_length=10))
    assert line == "the mix is smaller than one step of 2,000 tokens: nothing would be trained"


def test_a_variant_names_the_copies_that_it_takes_more_or_less() -> None:
    held = {"wiki": 100, "math/mind/two": 340, "math/mind/one": 300, "math/code": 2, "dclm": 7520}

    def mix(name: str, **sources: Source) -> MixPlan:
        renamed = {key.replace("__", "/"): value for key, value in sources.items()}
        manifest = Manifest(name=name, tokenizer="t", seed=1, sources=renamed)
        return plan(manifest, {key: Population(tokens=held[key], documents=None, kind="published") for key in renamed})

    twice, thrice, once = Source(source_percent=200), Source(source_percent=300), Source(source_percent=100)
    paper = mix(
        "paper", dclm=Source(source_percent=6.85), wiki=once, math__mind__two=twice, math__mind__one=twice, math__code=twice
    )
    run = mix("as-run", dclm=Source(tokens=514), wiki=twice, math__mind__two=thrice, math__mind__one=twice)
    assert list(variant_advice(paper, run)) == [
        "wiki is taken twice, in paper once: 100 tokens more",
        "math/mind/two is taken 3 times, in paper twice: 340 tokens more",
        "math/code is in paper and not in as-run: 4 tokens less",
    ]
    held["wiki"] = 150  # another size, the same two passes
    assert not any(line.startswith("wiki") for line in variant_advice(run, mix("later", wiki=twice)))
    assert list(variant_advice(run, mix("half", dclm=Source(tokens=257), wiki=twice))) == [
        "dclm is taken at 3.418 %, in as-run at 6.835 %: 257 tokens less",
        "math/mind/two is in as-run and not in half: 1,020 tokens less",
        "math/mind/one is in as-run and not in half: 600 tokens less",
    ]
