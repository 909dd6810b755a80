"""Microanneals: a small annealing run over some sources and web pages, to judge the sources (OLMo 2 paper, section 4.4.2).

The recipe: take the sources whole, fill up with web until it is a given part of the mix, train one epoch while the learning rate
falls linearly to 0. Several copies of a source are a Source % of several hundred; no file is copied.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Group, Manifest, Source, group_names
from dolmino_cli.mix.plan import Population, plan
from dolmino_cli.mix.share import exact
from dolmino_cli.mix.solve import round_half_up
from dolmino_cli.mix.training import Training

# allenai/OLMo, configs/microannealing/*.yaml: the start of the 7B's stage 2, and the steps over which that falls to 0.
LEARNING_RATE = 6.1499e-5
ANNEAL_STEPS = 11_931


def start_of(start_step: int, learning_rate: float = LEARNING_RATE) -> float:
    """The rate at which a run starts that goes on from step `start_step` of a 7B anneal: what is left there of its rate.

    As allenai/OLMo's scripts/microanneal_config_maker.py chains runs: 6.1499e-5 x (1 - k / 11,931).
    """
    if not 0 <= start_step < ANNEAL_STEPS:
        raise ConfigError(f"start step is {start_step}; it must be from 0 to {ANNEAL_STEPS - 1:,}, the steps of a 7B anneal")
    return float(exact(learning_rate) * (1 - Fraction(start_step, ANNEAL_STEPS)))


def microanneal(
    base: Manifest,
    *,
    name: str,
    copies: Mapping[str, float],
    web: str,
    web_percent: float,
    training: Training,
    other_sources: frozenset[str] = frozenset(),
) -> Manifest:
    """`copies` of sources or groups of the mix `base`, and `web`, which is `web_percent` of it all and never repeated.

    `other_sources` are names that may be used though `base` lacks them (those that have token arrays). Raises ConfigError for a
    name that is neither, for a web that is a group or one of the sources, and for copies or a percent out of range.
    """
    for label, times in copies.items():
        if not math.isfinite(times) or times <= 0:
            raise ConfigError(f"copies of {label} is {times:g}; it must be more than 0 (0.5 is half of its documents)")
    if not 0 < web_percent < 100:
        raise ConfigError(f"the web ratio is {web_percent:g} %; it must be more than 0 and less than 100")
    members = {label: _members(base, label, other_sources) for label in copies}
    if _members(base, web, other_sources) != [web]:
        raise ConfigError(f"web {web!r} is a group; name one source")
    if inside := [label for label, names in members.items() if web in names]:
        raise ConfigError(f"web {web!r} is also in --source {inside[0]}; name another web, or other sources")
    shares = {label: 100 * times for label, times in copies.items()}
    sources = {source: _bare(base, source) for names in members.values() for source in names}
    for label in members:
        if label in sources:
            sources[label] = dataclasses.replace(sources[label], source_percent=shares[label])
    sources[web] = dataclasses.replace(_bare(base, web), mix_percent=web_percent, max_epochs=1)
    return Manifest(
        name=name,
        tokenizer=base.tokenizer,
        seed=base.seed,
        sources=sources,
        groups={label: Group(source_percent=shares[label]) for label in members if label not in sources},
        training=training,
        reference="OLMo 2 paper, arXiv:2501.00656, section 4.4.2",
    )


def check_web(manifest: Manifest, populations: Mapping[str, Population], web: str) -> None:
    """Raise ConfigError unless the web, once, suffices for its part; in words that say what to change."""
    percent = manifest.sources[web].mix_percent
    assert percent is not None
    if web not in populations:
        raise ConfigError(f"web {web!r} has neither token arrays nor published tokens; give --arrays, or another --web")
    others = {name: source for name, source in manifest.sources.items() if name != web}
    beside = plan(dataclasses.replace(manifest, sources=others), populations).tokens
    needed = beside * exact(percent) / (100 - exact(percent))
    if needed > populations[web].tokens:
        raise ConfigError(
            f"web {web!r} is exhausted: {percent:g} % of a mix beside {beside:,} tokens is {round_half_up(needed):,} tokens, it"
            f" has {populations[web].tokens:,}; lower --ratio or --copies, or name a larger web"
        )


def _members(base: Manifest, label: str, other_sources: frozenset[str]) -> list[str]:
    """The sources that a name stands for: itself, or those below it."""
    if label in base.sources:
        return [label]
    if below := [source for source in base.sources if source.startswith(label + "/")]:
        return below
    if label in other_sources:
        return [label]
    groups = group_names(base.sources)
    known = ", ".join(base.sources) + (f"; its groups {', '.join(groups)}" if groups else "")
    raise ConfigError(
        f"source {label!r} is not in mix {base.name!r}, nor are there token arrays of that name; its sources are {known};"
        " name one of them, or give --from and --arrays where yours is"
    )


def _bare(base: Manifest, name: str) -> Source:
    """What the mix knows of a source, without what it takes of it."""
    known = base.sources.get(name, Source())
    return Source(arrays=known.arrays, published=known.published)
