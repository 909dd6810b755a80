"""A file list in the forms that OLMo and OLMo-core read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import FileList, Share
from dolmino_cli.mix.exchange.findings import named
from dolmino_cli.mix.exchange.pools import Pool, pools_of
from dolmino_cli.mix.exchange.read_lines import PLACEHOLDER
from dolmino_cli.mix.exchange.read_olmo import SETTINGS
from dolmino_cli.mix.exchange.source_comments import write_source_comment
from dolmino_cli.mix.write_manifest import quoted

_BARE = re.compile(r"[A-Za-z0-9./_+][A-Za-z0-9./_+:@=%~-]*\Z")
_HOST = re.compile(r"[a-z0-9]+://[^/]+/")


def olmo_yaml(files: FileList) -> str:
    """An OLMo configuration: `data.paths` under source comments, and the settings that are known. The model is the reader's."""
    settings = {key: files.settings[key] for key in SETTINGS if key in files.settings}
    if not settings.keys() - {"seed"}:  # nothing of an OLMo configuration: what the list itself says
        settings |= {"run_name": files.name, "tokenizer.identifier": files.tokenizer, "data.memmap_dtype": files.dtype}
    lines: list[str] = []
    section = ""
    for key in [key for key in SETTINGS if key in settings and not key.startswith("data.")]:
        above, dot, word = key.rpartition(".")
        if dot and above != section:
            lines.append(f"{above}:")
        section = above
        lines.append(f"{'  ' * bool(dot)}{word}: {_scalar(settings[key])}")
    lines.append("data:")
    if "data.memmap_dtype" in settings:
        lines.append(f"  memmap_dtype: {files.dtype}")
    lines.append("  paths:")
    for header, block in files.blocks():
        if header is not None:
            lines.append(f"    {write_source_comment(header)}")
        lines += [f"    - {_scalar(file.path)}" for file in block]
    return "\n".join(lines) + "\n"


def _scalar(text: str) -> str:
    # A value that was read without quotes is written without them, and any other in them: both read back as the same text.
    return text if _BARE.match(text) else quoted(text)


def olmo_core_lines(files: FileList) -> str:
    """An OLMo-core mix: `source,path` lines under source comments.

    OLMo-core puts its `base_dir` before every path, so scheme and host, where all paths share them, stand in a comment only.
    Raises ConfigError for a path or a source with a comma.
    """
    hosts = {found[0] if (found := _HOST.match(file.path)) else "" for file in files.files}
    host = hosts.pop() if len(hosts) == 1 else ""
    lines = [f"# base_dir: {host}"] if host else []
    for header, block in files.blocks():
        if header is not None:
            lines.append(write_source_comment(header))
        for file in block:
            if "," in file.path or "," in file.source:
                raise ConfigError(f"{file.source},{file.path}: OLMo-core parts a line at its comma; there may be no other")
            lines.append(f"{file.source},{file.path.removeprefix(host)}")
    return "\n".join(lines) + "\n"


def missing_placeholders(files: FileList) -> int:
    """Paths without {TOKENIZER}, which OLMo-core's DataMix refuses."""
    return sum(PLACEHOLDER not in file.path for file in files.files)


def source_mixture_yaml(files: FileList) -> str:
    """An OLMo-core source mixture: of each source its share of the mix's tokens, and how often it may be repeated.

    Raises ConfigError where the shares are not known, or where some files of a source are listed more often than others.
    """
    pools = pools_of(files)
    shares = files.shares or _shares(pools)
    lines, indent = ["sources:"], ""
    whole = {key: files.settings.get(key) for key in ("requested_tokens", "global_batch_size", "seed")}
    requested = whole["requested_tokens"] or str(sum(pool.listed.tokens for pool in pools if pool.listed is not None))
    if files.shares and whole["global_batch_size"] is not None:
        lines, indent = ["source_list:", "  sources:"], "  "
    elif not files.shares or whole["requested_tokens"] is not None:
        lines.insert(0, f"# requested_tokens: {requested}")
    paths: dict[str, list[str]] = {}
    for file in files.files:
        paths.setdefault(file.source, []).append(file.path)
    if not files.shares:  # copies are the repetition ratio
        paths = {name: list(dict.fromkeys(listed)) for name, listed in paths.items()}
    for name, share in shares.items():
        lines += [f"{indent}  - source_name: {_scalar(name)}", f"{indent}    target_ratio: {_decimal(share.target_ratio)}"]
        for word in ("max_repetition_ratio", "max_source_fraction"):
            if (value := getattr(share, word)) != 1:
                lines.append(f"{indent}    {word}: {_decimal(value)}")
        lines += [f"{indent}    paths:", *(f"{indent}      - {_scalar(path)}" for path in paths[name])]
    if indent:
        lines += [f"{key}: {value}" for key, value in whole.items() if value is not None]
    return "\n".join(lines) + "\n"


def _decimal(value: float) -> str:
    """Without an exponent: PyYAML, which OLMo-core reads with, takes 5e-05 for text."""
    return format(Decimal(repr(value)), "f")


def _shares(pools: Sequence[Pool]) -> dict[str, Share]:
    if unknown := [pool.source for pool in pools if pool.listed is None or not pool.listed.tokens]:
        raise ConfigError(f"the tokens of {named(unknown)} are not known, so neither is a target_ratio; import with --sizes")
    if uneven := [pool.source for pool in pools if pool.times is None]:
        raise ConfigError(
            f"{named(uneven)} lists some files more often than others, which a source mixture cannot say; name them apart"
            " with --source PREFIX=NAME at import"
        )
    total = sum(pool.listed.tokens for pool in pools if pool.listed is not None)
    return {
        pool.source: Share(target_ratio=pool.listed.tokens / total, max_repetition_ratio=float(pool.times))
        for pool in pools
        if pool.listed is not None and pool.times is not None
    }
