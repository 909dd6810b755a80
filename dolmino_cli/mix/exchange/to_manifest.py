"""A file list as a manifest of ours: a share per source, and behind every number the line that it is from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from dolmino_cli import strict_yaml
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import FileList, Share
from dolmino_cli.mix.exchange.pools import Pool
from dolmino_cli.mix.exchange.run_settings import Run
from dolmino_cli.mix.manifest import Manifest

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*\Z")
_TOLD_LINES = 4
_KINDS = {"olmo": "an OLMo configuration", "olmo-core": "an OLMo-core mix", "source-mixture": "an OLMo-core source mixture"}


def manifest_text(
    files: FileList,
    pools: Sequence[Pool],
    run: Run | None,
    *,
    origin: str,
    kind: str,
    lines: Mapping[str, int],
    seed: int | None,
    against: str | None,
) -> tuple[str, Manifest]:
    """The YAML and what it says. `origin` names the file it is made of, `lines` is where that says each setting.

    Raises ConfigError when the name or a share cannot stand in a manifest.
    """
    text = [
        f"# Made by `dolmino mix import` of {origin}, {_KINDS[kind]}. Lines are its lines, percents are of the files it lists.",
        f"name: {quoted(files.name)}",
        f"reference: {quoted(origin)}",
        f"tokenizer: {quoted(files.tokenizer)}{_from(lines, files, 'tokenizer.identifier')}",
        _seed(seed, lines),
    ]
    if against is not None:
        text.append(f"against: {quoted(against)}")
    if run is not None:
        if run.nominal_tokens is not None:
            text.append(f"nominal_tokens: {run.nominal_tokens:_}  # line {lines.get('max_duration', '?')}: max_duration")
        text += _training(run, lines)
    requested = files.number("requested_tokens")
    ratios = _percents(files.shares) if files.shares else {}
    if ratios and requested is None:
        raise ConfigError(
            f"{origin} says no requested_tokens, which its ratios are shares of; give --tokens, such as --tokens 100B"
        )
    if ratios and requested is not None and _sums_to_100(ratios):
        where = f"line {lines['requested_tokens']}: requested_tokens" if "requested_tokens" in lines else "--tokens"
        text.append(f"total_tokens: {requested:_}  # {where}")
    text.append("sources:")
    for pool in pools:
        text.append(f"  {quoted(pool.source)}:")
        if ratios:
            assert requested is not None
            text += _mixture_share(files.shares[pool.source], ratios, pool.source, requested, lines)
        else:
            text.append(f"    {_list_share(pool)}")
        if pool.held is not None:
            text.append(f"    {_published(pool)}")
    whole = "\n".join(text) + "\n"
    manifest: Manifest = strict_yaml.build(strict_yaml.compose_text(whole, f"the manifest of {origin}"), Manifest, origin)
    return whole, manifest


def quoted(text: str) -> str:
    """A YAML scalar that reads back as this text, in quotes only where it needs them."""
    words = ("true", "false", "null", "yes", "no", "on", "off")
    return text if _PLAIN.match(text) and text.lower() not in words else json.dumps(text, ensure_ascii=False)


def _from(lines: Mapping[str, int], files: FileList, key: str) -> str:
    return f"  # line {lines[key]}: {files.settings[key]}" if key in lines and key in files.settings else ""


def _seed(seed: int | None, lines: Mapping[str, int]) -> str:
    if seed is None:
        return "seed: 42  # ours: the file says none"
    return f"seed: {seed}" + (f"  # line {lines['seed']}" if "seed" in lines else "  # --seed")


def _training(run: Run, lines: Mapping[str, int]) -> list[str]:
    text = ["training:"]
    for field, keys in run.sources.items():
        value = getattr(run.training, field)
        shown = f"{{start: {value.start!r}, end: {value.end!r}}}" if field == "learning_rate" else str(value)
        text.append(f"  {field}: {shown}  # " + ", ".join(f"line {lines.get(key, '?')}: {key}" for key in keys))
    return text


def _list_share(pool: Pool) -> str:
    first = f" (the first on line {pool.first_line})" if pool.first_line else ""
    each = f"{pool.files} {'file' if pool.files == 1 else 'files'}"
    if pool.times is not None:
        listed = "listed once" if pool.times == 1 else f"{'each ' * (pool.files > 1)}listed {pool.times} times"
        return f"source_percent: {100 * pool.times}  # {each}, {listed}{first}"
    copies = ", ".join(f"{files} listed {times} times" for times, files in pool.copies.items())
    if pool.listed is not None:
        return f"tokens: {pool.listed.tokens:_}  # {each} in {pool.entries} lines{first}: {copies}"
    percent = Decimal(100 * pool.entries) / pool.files
    return (
        f"source_percent: {_number(percent)}  # {each} in {pool.entries} lines{first}: {copies}; by files, tokens are not known"
    )


def _published(pool: Pool) -> str:
    assert pool.held is not None
    if pool.by_sizes:
        return f"published: {{tokens: {pool.held.tokens:_}}}  # by the sizes of the files"
    lines = [str(line) for line in pool.header_lines]
    more = f" and {len(lines) - _TOLD_LINES} more" if len(lines) > _TOLD_LINES else ""
    where = f"line{'s' * (len(lines) > 1)} {', '.join(lines[:_TOLD_LINES])}{more}: #SOURCE"
    within = f", within: {pool.held.within:_}" if pool.held.within else ""
    return f"published: {{tokens: {pool.held.tokens:_}{within}}}  # {where}"


def _mixture_share(share: Share, ratios: Mapping[str, Decimal], name: str, requested: int, lines: Mapping[str, int]) -> list[str]:
    where = (
        f"line {lines[name]}: target_ratio {share.target_ratio!r}" if name in lines else f"target_ratio {share.target_ratio!r}"
    )
    if _sums_to_100(ratios):
        text = [f"    mix_percent: {_number(ratios[name])}  # {where}"]
    else:
        # As OLMo-core rounds (source_mixture.py); its check of the sum is wider than a manifest's.
        text = [f"    tokens: {int(requested * share.target_ratio):_}  # {where} of {requested} tokens"]
    epochs = Decimal(repr(share.max_repetition_ratio)) * Decimal(repr(share.max_source_fraction))
    return [*text, f"    max_epochs: {_number(epochs)}  # max_repetition_ratio x max_source_fraction"]


def _percents(shares: Mapping[str, Share]) -> dict[str, Decimal]:
    return {name: 100 * Decimal(repr(share.target_ratio)) for name, share in shares.items()}


def _sums_to_100(percents: Mapping[str, Decimal]) -> bool:
    return abs(sum(percents.values(), Decimal(0)) - 100) <= Decimal("0.000001")


def _number(value: Decimal) -> str:
    return f"{float(value):.12f}".rstrip("0").rstrip(".")
