"""filters/*.yaml -> Recipe: the ordered stages of one source, each with where its numbers come from.

    name: dclm
    source: DCLM-Baseline
    reference: OLMo 2 paper, section 2.4.1
    stages:
      - fasttext: {model: ..., label: __label__hq, into: dclm_quality}
      - keep: {score: dclm_quality, at_least: 0.03311014, expect: {percent: 65.6, within: 3}}

A stage is a mapping with exactly one key, its name in STAGES; the value holds its parameters.

Where the publisher's files hold rows, not documents, `rows:` says which columns make one:

    rows:
      - {text: [question, answer]}

Where the paper and the code that was run disagree, a recipe has both sides: a stage with `profile: paper` or `profile: ai2`
among its parameters belongs to that side only, one without to both. `profile:` beside `name:` is the side taken when nobody
asks, `paper` where it is not given.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, cast, get_args

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dolmino_cli import strict_yaml
from dolmino_cli.errors import ConfigError
from dolmino_cli.shards.rows import RowLayout
from dolmino_cli.stages import STAGES
from dolmino_cli.stages.keep import Keep
from dolmino_cli.stages.stage import Edit, Measure, edits

Stage = Measure | Edit | Keep
Profile = Literal["paper", "ai2"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

_TEXTS = ("name", "source", "licence", "reference", "notes")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One of the reasons for which an edit drops documents: to every account, a decision like any other."""

    edit: str
    """The edit's name in STAGES."""
    reason: str

    score: ClassVar[str] = ""
    expect: ClassVar[None] = None

    @property
    def rule(self) -> str:
        """What stands beside the reason, as one reads it."""
        return self.edit


Drop = Keep | Refusal


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is done to the documents of one source, in order. Equal recipes give equal outputs."""

    name: str
    stages: tuple[Stage, ...]
    profile: Profile | None = None
    """The side that these stages are of; None where the recipe has one side only."""
    profiles: tuple[Profile, ...] = field(default=(), compare=False)
    """The sides that the file offers, the one taken when nobody asks first."""
    source: str = ""
    """What is curated, with its publisher's identifier."""
    licence: str = ""
    """Under what terms the documents come; of the collection and, where they differ, of the documents in it."""
    reference: str = ""
    """Where the rule stands."""
    rows: tuple[RowLayout, ...] = ()
    """How the publisher's rows become documents, the first that fits; records that are documents are taken as they are."""
    notes: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        scores: set[str] = set()
        for stage in self.stages:
            if isinstance(stage, Keep):
                if stage.score not in scores:
                    have = ", ".join(sorted(scores)) or "none yet"
                    raise ConfigError(f"keep: no earlier stage writes the score {stage.score!r}; scores so far: {have}")
            elif edits(stage):
                if stage_name(stage) in scores:
                    raise ConfigError(f"{stage_name(stage)} stands twice; one recipe edits with it once")
                scores.add(stage_name(stage))
            elif stage.into in scores or stage.into in ("id", "line", "kept", "reason"):
                raise ConfigError(f"two columns would be called {stage.into!r}; give this stage another `into:`")
            else:
                scores.add(stage.into)
        reasons = [drop.reason for drop in self.drops]
        for reason in reasons:
            if reasons.count(reason) > 1:
                raise ConfigError(f"two decisions drop with the reason {reason!r}; give one another `reason:`")

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The stages that write a score, in order."""
        return tuple(stage for stage in self.stages if not (isinstance(stage, Keep) or edits(stage)))

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The stages that write documents anew, in order."""
        return tuple(stage for stage in self.stages if edits(stage))

    @property
    def decisions(self) -> tuple[Keep, ...]:
        """The stages that only decide, in order."""
        return tuple(stage for stage in self.stages if isinstance(stage, Keep))

    @property
    def drops(self) -> tuple[Drop, ...]:
        """Everything that a document can be dropped by, in order: a decision once, an edit once for each of its reasons."""
        return tuple(drop for stage in self.stages for drop in drops_of(stage))

    @property
    def title(self) -> str:
        """The recipe as one names it: `dclm (ai2)`, or `pes2o` where there is no choice."""
        return f"{self.name} ({self.profile})" if self.profile else self.name

    def resolved(self) -> dict[str, Any]:
        """All that decides the output, JSON-able: name, profile, and every stage with every parameter, defaults included."""
        side = {"profile": self.profile} if self.profile else {}
        rows = {"rows": [dataclasses.asdict(layout) for layout in self.rows]} if self.rows else {}
        stages = [{stage_name(stage): dataclasses.asdict(cast(Any, stage))} for stage in self.stages]
        return {"name": self.name, **side, **rows, "stages": stages}


def load_recipe(path: Path, overrides: Sequence[str] = (), profile: str | None = None) -> Recipe:
    """The recipe in `path`: the side `profile` of it, with `overrides` of the form SCORE.PARAMETER=VALUE put in their place.

    An edit has no score: EDIT.PARAMETER=VALUE, with its name in STAGES.

    Without overrides the sides that are not asked for are checked, too. Raises ConfigError naming file, line and key.
    """
    node = strict_yaml.compose(path)
    name = str(path)
    entries = strict_yaml.mapping(node, name, "")
    allowed = (*_TEXTS, "profile", "rows", "stages")
    for key, value in entries.items():
        if key not in allowed:
            strict_yaml.fail(value, name, key, f"unknown key; allowed: {', '.join(allowed)}")
    for key in ("name", "stages"):
        if key not in entries:
            strict_yaml.fail(node, name, key, "missing; it has no default")
    texts: dict[str, Any] = {key: strict_yaml.build(entries[key], str, name, key) for key in _TEXTS if key in entries}
    if "rows" in entries:
        texts["rows"] = strict_yaml.build(entries["rows"], tuple[RowLayout, ...], name, "rows")
    items = _items(entries["stages"], name)
    profiles = _profiles(items, entries.get("profile"), name)
    chosen = _chosen(profile, profiles, name)
    # An override may complete or contradict one side only, so the others are checked as they are written or not at all.
    for side in profiles if not overrides else ():
        _build(_of_side(items, side), {**texts, "profile": side}, name)
    mine = _of_side(items, chosen)
    for override in overrides:
        _apply(override, mine, name)
    return _build(mine, {**texts, "profile": chosen, "profiles": profiles}, name)


def recipe_hash(resolved: dict[str, Any], identities: dict[str, dict[str, str]]) -> str:
    """sha256 over the resolved recipe and what its measures loaded (model and tokenizer hashes, engines)."""
    text = json.dumps({"recipe": resolved, "loaded": identities}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def stage_name(stage: Stage) -> str:
    """The stage's name in STAGES, as a recipe writes it."""
    return STAGES.name_of(stage)


def drops_of(stage: Stage) -> tuple[Drop, ...]:
    """What a document can be dropped by at `stage`."""
    if isinstance(stage, Keep):
        return (stage,)
    return tuple(Refusal(edit=stage_name(stage), reason=reason) for reason in stage.reasons) if edits(stage) else ()


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One item of `stages:`, before its parameters are read; `profile` no longer stands among them."""

    key: str
    name: str
    profile: Profile | None
    parameters: Node


def _items(node: Node, path: str) -> list[_Item]:
    if not isinstance(node, SequenceNode):
        strict_yaml.fail(node, path, "stages", "expected a list of stages, each `- name: {parameters}`")
    items = []
    for number, item in enumerate(node.value):
        key = f"stages[{number}]"
        entries = strict_yaml.mapping(item, path, key)
        if len(entries) != 1:
            strict_yaml.fail(
                item, path, key, f"a stage is one name with its parameters, got {len(entries)} keys: {', '.join(entries)}"
            )
        ((name, parameters),) = entries.items()
        if name not in STAGES:
            strict_yaml.fail(item, path, key, f"unknown stage {name!r}; allowed: {', '.join(STAGES)}")
        key = f"{key}.{name}"
        given = strict_yaml.mapping(parameters, path, key).get("profile")
        profile = strict_yaml.build(given, Profile, path, f"{key}.profile") if given is not None else None
        if given is not None:
            _remove(cast(MappingNode, parameters), "profile")
        items.append(_Item(key=key, name=name, profile=profile, parameters=parameters))
    return items


def _profiles(items: Sequence[_Item], default: Node | None, path: str) -> tuple[Profile, ...]:
    """The sides that a recipe offers, its default first; none where no stage belongs to a side."""
    of_stages = {item.profile for item in items if item.profile is not None}
    if not of_stages:
        if default is not None:
            strict_yaml.fail(default, path, "profile", "no stage belongs to a profile; leave this out")
        return ()
    first: Profile = strict_yaml.build(default, Profile, path, "profile") if default is not None else "paper"
    return (first, *(profile for profile in PROFILES if profile in of_stages and profile != first))


def _chosen(asked: str | None, profiles: Sequence[Profile], path: str) -> Profile | None:
    if asked is None:
        return profiles[0] if profiles else None
    for profile in profiles:
        if profile == asked:
            return profile
    if not profiles:
        raise ConfigError(f"--profile {asked}: {path} has no profiles, its rule is the same in all; leave the option out")
    raise ConfigError(f"--profile {asked}: {path} has the profiles {', '.join(profiles)}; give one of them")


def _of_side(items: Sequence[_Item], profile: Profile | None) -> list[_Item]:
    return [item for item in items if item.profile in (None, profile)]


def _build(items: Sequence[_Item], rest: dict[str, Any], path: str) -> Recipe:
    stages = [strict_yaml.build(item.parameters, STAGES[item.name], path, item.key) for item in items]
    try:
        return Recipe(stages=tuple(stages), **rest)
    except ConfigError as error:
        side = f"profile {rest['profile']}: " if rest["profile"] else ""
        raise ConfigError(f"{path}: {side}{error}") from None


def _apply(override: str, items: Sequence[_Item], path: str) -> None:
    """Put VALUE of `SCORE.PARAMETER=VALUE` into the YAML nodes, so that it is read as strictly as the file itself."""
    target, equals, value = override.partition("=")
    score, dot, parameter = target.rpartition(".")
    if not (equals and dot):
        raise ConfigError(f"--set {override!r}: write SCORE.PARAMETER=VALUE, for example --set dclm_quality.model=/models/oh.bin")
    scores = []
    for item in items:
        entries = strict_yaml.mapping(item.parameters, path, item.key)
        if item.name == score and hasattr(STAGES[item.name], "edit"):
            _replace(cast(MappingNode, item.parameters), parameter, value)
            return
        own = entries.get("into") or (entries.get("score") if parameter not in ("into",) else None)
        if isinstance(own, ScalarNode):
            is_measure = "into" in entries
            scores.append(own.value)
            bound = parameter in ("at_least", "above", "below", "at_most", "expect", "missing", "reason")
            if own.value == score and is_measure != bound:
                _replace(cast(MappingNode, item.parameters), parameter, value)
                return
    have = ", ".join(dict.fromkeys(scores)) or "none"
    raise ConfigError(f"--set {override!r}: {path} has no stage with that score and parameter; scores: {have}")


def _replace(parameters: MappingNode, name: str, value: str) -> None:
    mark = parameters.start_mark
    _remove(parameters, name)
    tag = "tag:yaml.org,2002:str"
    parameters.value.append((ScalarNode(tag, name, mark, mark), ScalarNode(tag, value, mark, mark)))


def _remove(parameters: MappingNode, name: str) -> None:
    parameters.value = [(key, old) for key, old in parameters.value if key.value != name]
