"""A manifest as YAML, the comments of its numbers beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from dolmino_cli import strict_yaml
from dolmino_cli.mix.manifest import Manifest, Published
from dolmino_cli.mix.share import Share
from dolmino_cli.mix.training import Training

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*\Z")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off"})


def manifest_text(manifest: Manifest, *, head: str, comments: Mapping[str, str]) -> str:
    """The YAML of a manifest without `expect`, which reads back as the same manifest.

    `head` is the file's first comment; `comments` are by dotted key, `groups.math`, `sources.dclm.published`, `training`.
    """
    assert manifest.expect is None, "what was published of a mix is not written by a tool"
    lines = [f"# {line}" for line in head.splitlines()]

    def add(text: str, key: str) -> None:
        lines.append(f"{text}  # {comments[key]}" if key in comments else text)

    for key in ("name", "description", "reference", "tokenizer", "seed", "against", "total_tokens", "nominal_tokens"):
        value = getattr(manifest, key)
        if value is not None:
            add(f"{key}: {quoted(value) if isinstance(value, str) else _whole(key, value)}", key)
    if manifest.groups:
        lines.append("groups:")
        for name, group in manifest.groups.items():
            add(f"  {name}: {{{_share(group)}}}", f"groups.{name}")
    lines.append("sources:")
    for name, source in manifest.sources.items():
        add(f"  {name}:", f"sources.{name}")
        rows = {
            "share": _share(source) if source.given() else None,
            "max_epochs": f"max_epochs: {_number(source.max_epochs)}" if source.max_epochs is not None else None,
            "min_tokens": f"min_tokens: {source.min_tokens:_}" if source.min_tokens is not None else None,
            "arrays": f"arrays: {json.dumps(source.arrays)}" if source.arrays is not None else None,
            "published": f"published: {_published(source.published)}" if source.published is not None else None,
            "reference": f"reference: {quoted(source.reference)}" if source.reference is not None else None,
        }
        for row, text in rows.items():
            if text is not None:
                add(f"    {text}", f"sources.{name}.{row}")
    if manifest.training is not None:
        add("training:", "training")
        for row in _training(manifest.training):
            add(f"  {row}", f"training.{row.partition(':')[0]}")
    text = "\n".join(lines) + "\n"
    assert strict_yaml.build(strict_yaml.compose_text(text, manifest.name), Manifest, manifest.name) == manifest, text
    return text


def _share(share: Share) -> str:
    ((kind, value),) = share.given().items()
    return f"{kind}: {_whole(kind, value) if isinstance(value, int) else _number(value)}"


def _published(published: Published) -> str:
    parts = {name: getattr(published, name) for name in ("tokens", "within", "documents", "bytes")}
    return "{" + ", ".join(f"{name}: {value:_}" for name, value in parts.items() if value) + "}"


def _training(training: Training) -> list[str]:
    rows = [f"batch_sequences: {training.batch_sequences}", f"sequence_length: {training.sequence_length}"]
    if training.steps is not None:
        rows.append(f"steps: {training.steps}")
    if training.learning_rate is not None:
        rate = training.learning_rate
        rows.append(f"learning_rate: {{start: {_number(rate.start)}, end: {_number(rate.end)}}}")
    if training.reference is not None:
        rows.append(f"reference: {quoted(training.reference)}")
    return rows


def _whole(key: str, value: int) -> str:
    return str(value) if key == "seed" else f"{value:_}"


def _number(value: float) -> str:
    """The shortest decimal that reads back as this number, whole ones without a point."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def quoted(text: str) -> str:
    """A YAML scalar that reads back as this text, in quotes only where it needs them."""
    return text if _PLAIN.match(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)
