"""Tokens of listed files by the sizes of stored ones: bytes / bytes per token."""

from __future__ import annotations

import re
from dataclasses import replace

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.exchange.file_list import FileList
from dolmino_cli.mix.exchange.published import key_of
from dolmino_cli.mix.exchange.read_lines import PLACEHOLDER
from dolmino_cli.shards import storage


def with_sizes(files: FileList, root: str) -> FileList:
    """The list with the tokens of every file that lies below `root`: under the path it is listed with, or the end of that.

    A pattern counts all the files that it means. Files that are not there keep unknown tokens. Raises ConfigError when nothing
    of the list is there or a file could be two of it, DataError for one that is no whole number of tokens.
    """
    stored = {found.name: found.bytes for found in storage.walk(root)}
    counted = []
    found_by: dict[str, tuple[str, str]] = {}
    for file in files.files:
        above, names = _stored(file.path.replace(PLACEHOLDER, files.tokenizer), stored, root)
        for name in names:
            # The end of a path may be the end of another: then neither is known to be the file that is there.
            other = found_by.setdefault(name, (above, file.path))
            if other[0] != above:
                raise ConfigError(
                    f"--sizes {root}: {name} there could be {other[1]} or {file.path}; give the folder or s3:// prefix that"
                    " has both"
                )
        size = sum(stored[name] for name in names) if names else None
        if size is not None and size % files.bytes_per_token:
            problem = f"{size:,} bytes are no whole number of {files.dtype} tokens; is --dtype right?"
            raise DataError(problem, path=f"{root}, {file.path}")
        counted.append(replace(file, tokens=None if size is None else size // files.bytes_per_token))
    if all(file.tokens is None for file in counted):
        raise ConfigError(
            f"--sizes {root}: none of the {len(counted):,} listed files is there ({files.files[0].path}, ...);"
            " give the folder or s3:// prefix that their paths, or the ends of these, are in"
        )
    return replace(files, files=tuple(counted))


def _stored(path: str, stored: dict[str, int], root: str) -> tuple[str, list[str]]:
    """(the folders of the path that `root` stands for, the names below `root` that the rest of it means)."""
    above = root.rstrip("/") + "/"
    if path.startswith(above):
        return above, _lookup(path.removeprefix(above), stored)
    parts = key_of(path).split("/")
    # The end of a pattern begins with a name: `**/*.npy` alone would be the files of every source.
    named = next((at for at, part in enumerate(parts) if "*" in part), len(parts))
    for at in range(named):
        if found := _lookup("/".join(parts[at:]), stored):
            return "/".join(parts[:at]), found
    return "", []


def _lookup(name: str, stored: dict[str, int]) -> list[str]:
    if "*" in name:
        pattern = _regex(name)
        return [one for one in stored if pattern.fullmatch(one)]
    return [name] if name in stored else []


def _regex(pattern: str) -> re.Pattern[str]:
    """OLMo-core's patterns (olmo_core/io.py, as pathlib's): `**` is any folders or none, `*` is within one name."""
    escaped = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*")
    return re.compile(escaped.replace(r"\*", "[^/]*"))
