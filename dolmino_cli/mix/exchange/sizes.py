"""Tokens of listed files by the sizes of stored ones: bytes / bytes per token."""

from __future__ import annotations

import fnmatch
from dataclasses import replace

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.exchange.file_list import FileList
from dolmino_cli.mix.exchange.published import key_of
from dolmino_cli.mix.exchange.read_lines import PLACEHOLDER
from dolmino_cli.shards import storage


def with_sizes(files: FileList, root: str) -> FileList:
    """The list with the tokens of every file that lies below `root`: under the path it is listed with, or the end of that.

    A pattern counts all the files that it means. Files that are not there keep unknown tokens. Raises ConfigError when nothing
    of the list is there, DataError for a file that is no whole number of tokens.
    """
    stored = {found.name: found.bytes for found in storage.walk(root)}
    counted = []
    for file in files.files:
        size = _size(file.path.replace(PLACEHOLDER, files.tokenizer), stored, root)
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


def _size(path: str, stored: dict[str, int], root: str) -> int | None:
    if path.startswith(root.rstrip("/") + "/"):
        path = path[len(root.rstrip("/")) + 1 :]
        return _lookup(path, stored)
    parts = key_of(path).split("/")
    return next((size for at in range(len(parts)) if (size := _lookup("/".join(parts[at:]), stored)) is not None), None)


def _lookup(name: str, stored: dict[str, int]) -> int | None:
    if "*" not in name:
        return stored.get(name)
    found = fnmatch.filter(stored, name)
    return sum(stored[one] for one in found) if found else None
