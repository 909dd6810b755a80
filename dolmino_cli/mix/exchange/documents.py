"""The documents of a mix's parts or of source arrays, as exports want them: where they end, and their tokens beside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import DataError
from dolmino_cli.mix.lock import MixPart
from dolmino_cli.mix.provenance import provenance_name, read_provenance
from dolmino_cli.mix.reading import Hashed, SourceFile, check_sha256, read_documents
from dolmino_cli.shards import storage
from dolmino_cli.tokens.arrays import ArrayFile, TokenArrays
from dolmino_cli.tokens.megatron import Chunk

_CHUNK_BYTES = 16 << 20

Ends = npt.NDArray[np.int64]


def ends_of(arrays: TokenArrays, file: ArrayFile) -> Iterator[Ends]:
    """Where the documents of a file end, in tokens from its beginning, in order and some at a time.

    A part of a mix says it in its documents' file, of which the lock has the hash; other arrays in their rows. Raises DataError
    for a documents' file that is not the locked one, and for rows that leave a gap.
    """
    if isinstance(file, MixPart):
        yield _part_ends(arrays, file)
        return
    position = 0
    for documents in read_documents(_source_file(arrays, file)):
        ends = position + np.cumsum(documents.lengths)
        position = int(ends[-1]) if len(ends) else position
        yield ends


def chunks_of(arrays: TokenArrays, file: ArrayFile) -> Iterator[Chunk]:
    """The documents of a file with their tokens, some MB at a time unless one document alone is larger.

    The tokens are overwritten by the next chunk. Raises DataError as `ends_of` does, and when the tokens are not the bytes that
    arrays.json describes.
    """
    path, dtype = arrays.path(file.name), arrays.numpy_dtype
    buffer = np.empty(min(_CHUNK_BYTES // dtype.itemsize, file.tokens), dtype)
    position = 0
    with storage.open_bytes(path) as raw:
        stream = Hashed(raw, path)
        for ends in ends_of(arrays, file):
            first = 0
            while first < len(ends):
                last = max(first + 1, int(np.searchsorted(ends, position + len(buffer), side="right")))
                count = int(ends[last - 1]) - position
                if count > len(buffer):
                    buffer = np.empty(count, dtype)
                tokens = buffer[:count]
                view = tokens.view(np.uint8).data
                if stream.fill(view) < len(view):
                    raise DataError("ends before its last token; it was cut short", path=path)
                yield np.diff(ends[first:last], prepend=position), tokens
                first, position = last, int(ends[last - 1])
        check_sha256(stream.finish(), file.sha256, path)


def _source_file(arrays: TokenArrays, file: ArrayFile) -> SourceFile:
    return SourceFile(source="", number=0, root=arrays.root, array=file, dtype=arrays.dtype)


def _part_ends(arrays: TokenArrays, part: MixPart) -> Ends:
    path = arrays.path(provenance_name(part.name))
    ends = cast(Ends, read_provenance(path, part.documents_sha256).column("end").to_numpy())
    lengths = np.diff(ends, prepend=0)
    if len(ends) != part.documents or (len(ends) and (int(ends[-1]) != part.tokens or int(lengths.min()) < 0)):
        raise DataError(f"has other documents than the lock's {part.documents:,} of {part.tokens:,} tokens", path=path)
    return ends
