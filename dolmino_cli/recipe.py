"""filters/*.yaml -> Recipe: the ordered stages of one source, each with where its numbers come from.

    name: dclm
    source: DCLM-Baseline
    reference: OLMo 2 paper, section 2.4.1
    stages:
      - fasttext: {model: ..., label: __label__hq, into: dclm_quality}
      - keep: {score: dclm_quality, at_least: 0.03311014, expect: {percent: 65.6, within: 3}}

A stage is a mapping with exactly one key, its name in STAGES; the value holds its parameters.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dolmino_cli import strict_yaml
from dolmino_cli.errors import ConfigError
from dolmino_cli.stages import STAGES
from dolmino_cli.stages.keep import Keep
from dolmino_cli.stages.stage import Measure

Stage = Measure | Keep


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is done to the documents of one source, in order. Equal recipes give equal outputs."""

    name: str
    stages: tuple[Stage, ...]
    source: str = ""
    reference: str = ""
    notes: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        scores: set[str] = set()
        reasons: set[str] = set()
        for stage in self.stages:
            if isinstance(stage, Keep):
                _check_keep(stage, scores, reasons)
            elif stage.into in scores or stage.into in ("id", "line", "kept", "reason"):
                raise ConfigError(f"two columns would be called {stage.into!r}; give this stage another `into:`")
            else:
                scores.add(stage.into)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The stages that write a score, in order."""
        return tuple(stage for stage in self.stages if not isinstance(stage, Keep))

    @property
    def decisions(self) -> tuple[Keep, ...]:
        """The stages that drop, in order."""
        return tuple(stage for stage in self.stages if isinstance(stage, Keep))

    def resolved(self) -> dict[str, Any]:
        """All that decides the output, JSON-able: name and every stage with every parameter, defaults included."""
        return {"name": self.name, "stages": [{stage_name(stage): dataclasses.asdict(cast(Any, stage))} for stage in self.stages]}


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in `path`, with `overrides` of the form SCORE.PARAMETER=VALUE put in its place.

    Raises ConfigError naming file, line and key.
    """
    node = strict_yaml.compose(path)
    name = str(path)
    entries = strict_yaml.mapping(node, name, "")
    allowed = ("name", "source", "reference", "notes", "stages")
    for key, value in entries.items():
        if key not in allowed:
            strict_yaml.fail(value, name, key, f"unknown key; allowed: {', '.join(allowed)}")
    for key in ("name", "stages"):
        if key not in entries:
            strict_yaml.fail(node, name, key, "missing; it has no default")
    for override in overrides:
        _apply(override, entries["stages"], name)
    texts = {key: strict_yaml.build(entries[key], str, name, key) for key in allowed[:-1] if key in entries}
    try:
        return Recipe(**texts, stages=_build_stages(entries["stages"], name))
    except ConfigError as error:
        raise error if str(error).startswith(name) else ConfigError(f"{name}: {error}") from None


def recipe_hash(resolved: dict[str, Any], identities: dict[str, dict[str, str]]) -> str:
    """sha256 over the resolved recipe and what its measures loaded (model and tokenizer hashes, engines)."""
    text = json.dumps({"recipe": resolved, "loaded": identities}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def stage_name(stage: Stage) -> str:
    """The stage's name in STAGES, as a recipe writes it."""
    return next(name for name, cls in STAGES.items() if type(stage) is cls)


def _build_stages(node: Node, path: str) -> tuple[Stage, ...]:
    if not isinstance(node, SequenceNode):
        strict_yaml.fail(node, path, "stages", "expected a list of stages, each `- name: {parameters}`")
    stages = []
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
        stages.append(strict_yaml.build(parameters, STAGES[name], path, f"{key}.{name}"))
    return tuple(stages)


def _check_keep(keep: Keep, scores: set[str], reasons: set[str]) -> None:
    if keep.score not in scores:
        have = ", ".join(sorted(scores)) or "none yet"
        raise ConfigError(f"keep: no earlier stage writes the score {keep.score!r}; scores so far: {have}")
    if keep.reason in reasons:
        raise ConfigError(f"keep: two decisions drop with the reason {keep.reason!r}; give one another `reason:`")
    reasons.add(keep.reason)


def _apply(override: str, stages: Node, path: str) -> None:
    """Put VALUE of `SCORE.PARAMETER=VALUE` into the YAML nodes, so that it is read as strictly as the file itself."""
    target, equals, value = override.partition("=")
    score, dot, parameter = target.rpartition(".")
    if not (equals and dot):
        raise ConfigError(f"--set {override!r}: write SCORE.PARAMETER=VALUE, for example --set dclm_quality.model=/models/oh.bin")
    scores = []
    for item in stages.value if isinstance(stages, SequenceNode) else []:
        for _, parameters in item.value if isinstance(item, MappingNode) else []:
            entries = strict_yaml.mapping(parameters, path, "stages")
            own = entries.get("into") or (entries.get("score") if parameter not in ("into",) else None)
            if isinstance(own, ScalarNode):
                is_measure = "into" in entries
                scores.append(own.value)
                bound = parameter in ("at_least", "above", "below", "at_most", "expect", "missing", "reason")
                if own.value == score and is_measure != bound:
                    _replace(cast(MappingNode, parameters), parameter, value)
                    return
    raise ConfigError(
        f"--set {override!r}: {path} has no stage with that score and parameter; scores: {', '.join(dict.fromkeys(scores))}"
    )


def _replace(parameters: MappingNode, name: str, value: str) -> None:
    mark = parameters.start_mark
    kept = [(key, old) for key, old in parameters.value if key.value != name]
    tag = "tag:yaml.org,2002:str"
    parameters.value = [*kept, (ScalarNode(tag, name, mark, mark), ScalarNode(tag, value, mark, mark))]
