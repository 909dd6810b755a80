"""A file list as a manifest of ours: a share per source, and for every number the line that it is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import FileList, Share
from dolmino_cli.mix.exchange.pools import Pool
from dolmino_cli.mix.exchange.run_settings import Run
from dolmino_cli.mix.manifest import Manifest, Published, Source

_TOLD_LINES = 4


def to_manifest(
    files: FileList,
    pools: Sequence[Pool],
    run: Run | None,
    *,
    origin: str,
    lines: Mapping[str, int],
    seed: int | None,
    against: str | None,
) -> tuple[Manifest, dict[str, str]]:
    """The manifest and comments by dotted key, as `mix.write_manifest` takes them.

    `origin` names the file it is made of, `lines` is where that says each setting. Raises ConfigError when the name or a share
    cannot stand in a manifest.
    """
    comments: dict[str, str] = {}
    if "tokenizer.identifier" in lines:
        comments["tokenizer"] = f"line {lines['tokenizer.identifier']}: {files.settings['tokenizer.identifier']}"
    comments["seed"] = "ours: the file says none" if seed is None else f"line {lines['seed']}" if "seed" in lines else "--seed"
    if run is not None:
        comments |= _training_comments(run, lines)
    requested = files.number("requested_tokens")
    ratios = {name: 100 * Decimal(repr(share.target_ratio)) for name, share in files.shares.items()}
    if ratios and requested is None:
        raise ConfigError(
            f"{origin} says no requested_tokens, which its ratios are shares of; give --tokens, such as --tokens 100B"
        )
    total = requested if ratios and _sums_to_100(ratios) else None
    if total is not None:
        where = f"line {lines['requested_tokens']}: requested_tokens" if "requested_tokens" in lines else "--tokens"
        comments["total_tokens"] = where
    try:
        sources = {}
        for pool in pools:
            if ratios:
                assert requested is not None
                source, said = _mixture_share(files.shares[pool.source], pool.source, requested, total, lines)
            else:
                source, said = _list_share(pool)
            published, where = _published(pool)
            sources[pool.source] = replace(source, published=published)
            said["published"] = where
            comments |= {f"sources.{pool.source}.{row}": text for row, text in said.items()}
        manifest = Manifest(
            name=files.name,
            reference=origin,
            tokenizer=files.tokenizer,
            seed=42 if seed is None else seed,
            against=against,
            total_tokens=total,
            nominal_tokens=None if run is None else run.nominal_tokens,
            training=None if run is None else run.training,
            sources=sources,
        )
    except ConfigError as error:
        raise ConfigError(f"the manifest of {origin}: {error}") from None
    return manifest, comments


def _training_comments(run: Run, lines: Mapping[str, int]) -> dict[str, str]:
    comments = {
        f"training.{field}": ", ".join(f"line {lines.get(key, '?')}: {key}" for key in keys)
        for field, keys in run.sources.items()
    }
    if run.nominal_tokens is not None:
        comments["nominal_tokens"] = f"line {lines.get('max_duration', '?')}: max_duration"
    return comments


def _list_share(pool: Pool) -> tuple[Source, dict[str, str]]:
    first = f" (the first on line {pool.first_line})" if pool.first_line else ""
    each = f"{pool.files} {'file' if pool.files == 1 else 'files'}"
    if pool.times is not None:
        listed = "listed once" if pool.times == 1 else f"{'each ' * (pool.files > 1)}listed {pool.times} times"
        return Source(source_percent=float(100 * pool.times)), {"share": f"{each}, {listed}{first}"}
    copies = ", ".join(f"{files} listed {times} times" for times, files in pool.copies.items())
    said = f"{each} in {pool.entries} lines{first}: {copies}"
    if pool.listed is not None and pool.listed.tokens:
        return Source(tokens=pool.listed.tokens), {"share": said}
    percent = round(100 * pool.entries / pool.files, 12)
    return Source(source_percent=percent), {"share": f"{said}; by files, tokens are not known"}


def _published(pool: Pool) -> tuple[Published | None, str]:
    if pool.held is None or not pool.held.tokens:
        return None, ""
    published = Published(tokens=pool.held.tokens, within=pool.held.within)
    if pool.by_sizes:
        return published, "by the sizes of the files"
    lines = [str(line) for line in pool.header_lines]
    more = f" and {len(lines) - _TOLD_LINES} more" if len(lines) > _TOLD_LINES else ""
    return published, f"line{'s' * (len(lines) > 1)} {', '.join(lines[:_TOLD_LINES])}{more}: #SOURCE"


def _mixture_share(
    share: Share, name: str, requested: int, total: int | None, lines: Mapping[str, int]
) -> tuple[Source, dict[str, str]]:
    where = f"{f'line {lines[name]}: ' if name in lines else ''}target_ratio {share.target_ratio!r}"
    epochs = float(Decimal(repr(share.max_repetition_ratio)) * Decimal(repr(share.max_source_fraction)))
    said = {"max_epochs": "max_repetition_ratio x max_source_fraction"}
    if total is not None:
        percent = float(100 * Decimal(repr(share.target_ratio)))
        return Source(mix_percent=percent, max_epochs=epochs), said | {"share": where}
    # As OLMo-core rounds (source_mixture.py); its check of the sum is wider than a manifest's.
    tokens = int(requested * share.target_ratio)
    return Source(tokens=tokens, max_epochs=epochs), said | {"share": f"{where} of {requested} tokens"}


def _sums_to_100(percents: Mapping[str, Decimal]) -> bool:
    return abs(sum(percents.values(), Decimal(0)) - 100) <= Decimal("0.000001")
