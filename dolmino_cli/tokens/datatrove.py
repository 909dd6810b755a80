"""datatrove's and nanotron's tokens: `NAME.ds` is the same bytes as ours, `.ds.index` the documents' ends, `.ds.metadata` a note.

The index is one little-endian u64 per document: the tokens up to its end. The note has three lines: the tokenizer's name and
bytes per token, the tokens, and the tokens as people read them (datatrove 0.10, pipeline/tokens/tokenizer.py). datatrove, too,
takes 2 bytes per token for up to 65,536 ids, else 4.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import DataError
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.arrays import ArrayFile, TokenArrays

_COPY_BYTES = 4 << 20
_PREFIXES = "kMGTPE"


def write_datatrove(
    output: Output, name: str, arrays: TokenArrays, file: ArrayFile, ends: Iterable[npt.NDArray[np.int64]]
) -> bool:
    """Write NAME.ds, NAME.ds.index and NAME.ds.metadata; whether the tokens are a hard link to `file`, not a copy.

    `ends` are the documents' ends in order, some at a time. Raises DataError when they do not rise to the file's tokens and
    documents, and where a copy finds other bytes than arrays.json says.
    """
    path = arrays.path(file.name)
    documents = last = 0
    with output.create(f"{name}.ds.index") as index:
        for batch in ends:
            if len(batch) and (int(batch[0]) < last or np.any(np.diff(batch) < 0)):
                raise DataError("the documents' ends do not rise", path=path)
            index.write(batch.astype("<u8").view(np.uint8).data)
            documents, last = documents + len(batch), int(batch[-1]) if len(batch) else last
        if (documents, last) != (file.documents, file.tokens):
            described = f"arrays.json says {file.documents:,} of {file.tokens:,}"
            raise DataError(f"{documents:,} documents up to token {last:,}; {described}", path=path)
        output.put(f"{name}.ds.metadata", metadata(arrays.tokenizer.name, arrays.numpy_dtype.itemsize, file.tokens).encode())
        linked = _link(path, output, f"{name}.ds")
        if not linked:
            _copy(path, output, f"{name}.ds", file)
        index.publish()
    return linked


def metadata(tokenizer: str, bytes_per_token: int, tokens: int) -> str:
    """The note's text, without an end of its last line."""
    return f"{tokenizer}|{bytes_per_token}\n{tokens}\n{three_digits(tokens)}"


def three_digits(tokens: int) -> str:
    """A count to three digits with an SI prefix and the unit T, as datatrove prints it: 51471999999 is `51.5 GT`."""
    power = len(str(tokens)) - 1
    if round(tokens / 10 ** (power - 2)) == 1000 and tokens >= 1000:  # 999,999 is 1.00 M, not 1000 k
        power += 1
    prefix = _PREFIXES[power // 3 - 1] if power >= 3 else ""
    return f"{tokens / 10 ** (power // 3 * 3):.{2 - power % 3}f} {prefix}T"


def _link(path: str, output: Output, name: str) -> bool:
    """Give the file a second name; False where that cannot be: another disk, S3, a file system without links."""
    target = output.local_path(name)
    if target is None or "://" in path:
        return False
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.link(Path(path).resolve(), partial)
    except OSError:
        return False
    with storage_errors("write", str(target)):
        partial.replace(target)
        # Where both names are one file already, the rename does nothing and leaves the partial one (rename(2)).
        partial.unlink(missing_ok=True)
    return True


def _copy(path: str, output: Output, name: str, file: ArrayFile) -> None:
    with output.create(name) as copy:
        with storage.open_bytes(path) as stream, storage_errors("read", path):
            shutil.copyfileobj(stream, cast(Any, copy), _COPY_BYTES)
        if copy.sha256 != file.sha256:
            problem = f"was changed after it was written: its sha256 is {copy.sha256}, arrays.json says {file.sha256}"
            raise DataError(f"{problem}; restore or rebuild it", path=path)
        copy.publish()
