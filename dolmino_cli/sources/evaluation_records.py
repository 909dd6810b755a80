"""A file of evaluation items -> (line, fields), for every format that evaluation sets come in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.shards.compression import Compression, PlainBytes
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.lines import blocks
from dolmino_cli.shards.storage import open_bytes, read_bytes

_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", "": "plain"}
_TEXT = (".jsonl", ".json", ".ndjson", ".csv", ".tsv")
SUFFIXES = (*(kind + ending for kind in _TEXT for ending in _COMPRESSIONS), ".parquet", ".arrow")
_BLOCK_BYTES = 1 << 20

Record = tuple[int, dict[str, Any]]


def records(path: str) -> Iterator[Record]:
    """(1-based line or row, fields) of every item. Raises DataError naming the line, ConfigError for an unknown suffix."""
    suffix = max((known for known in SUFFIXES if path.endswith(known)), key=len, default="")
    if not suffix:
        raise ConfigError(f"{path}: not a known kind of evaluation file; allowed suffixes: {', '.join(SUFFIXES)}")
    if suffix in (".parquet", ".arrow"):
        return _columns(path, suffix)
    base = next(kind for kind in _TEXT if suffix.startswith(kind) and suffix[len(kind) :] in _COMPRESSIONS)
    compression = _COMPRESSIONS[suffix[len(base) :]]
    if base in (".csv", ".tsv"):
        return _table(path, compression, "," if base == ".csv" else "\t")
    return _json(path, compression)


def _json(path: str, compression: Compression) -> Iterator[Record]:
    """Objects, one a line; or one array of objects over any number of lines, numbered from 1."""
    with open_bytes(path) as source, storage_errors("read", path):
        stream = PlainBytes(source, compression)
        for block in blocks(stream, _BLOCK_BYTES):
            for i, (start, end) in enumerate(zip(block.starts.tolist(), block.ends.tolist(), strict=True)):
                line, number = block.buffer[start:end].tobytes(), block.first + i
                if block.unfinished and i == len(block.starts) - 1:
                    raise DataError(str(stream.problem), path=path, line=number)
                if number == 1 and line.lstrip()[:1] == b"[":
                    yield from _array(path, compression)
                    return
                if line.strip():
                    yield number, _object(line, path, number)


def _array(path: str, compression: Compression) -> Iterator[Record]:
    try:
        items = msgspec.json.decode(_whole_text(path, compression), type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(f"not a JSON array of objects: {error}", path=path) from None
    yield from enumerate(items, start=1)


def _object(line: bytes, path: str, number: int) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"not a JSON object: {error}", path=path, line=number) from None


def _table(path: str, compression: Compression, delimiter: str) -> Iterator[Record]:
    """Rows under a header of field names; the line is that on which a row ends."""
    try:
        text = _whole_text(path, compression).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error}", path=path) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                wanted = len(reader.fieldnames or ())
                raise DataError(f"a row of other length than the header's {wanted} fields", path=path, line=reader.line_num)
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"not a table: {error}", path=path, line=reader.line_num) from None


def _columns(path: str, suffix: str) -> Iterator[Record]:
    number = 0
    try:
        for batch in _record_batches(path, suffix):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except pa.ArrowInvalid as error:
        raise DataError(f"not a whole {suffix[1:].capitalize()} file: {str(error).splitlines()[0]}", path=path) from None


def _record_batches(path: str, suffix: str) -> Iterator[pa.RecordBatch]:
    if suffix == ".parquet":
        import pyarrow.parquet as pq  # takes 50 ms to import

        yield from pq.ParquetFile(io.BytesIO(read_bytes(path))).iter_batches(batch_size=1024)
    else:  # as `datasets` saves to disk
        yield from pa.ipc.open_stream(io.BytesIO(read_bytes(path)))


def _whole_text(path: str, compression: Compression) -> bytes:
    with open_bytes(path) as source, storage_errors("read", path):
        stream, pieces = PlainBytes(source, compression), []
        buffer = bytearray(_BLOCK_BYTES)
        while count := stream.fill(memoryview(buffer)):
            pieces.append(bytes(buffer[:count]))
        _check_whole(stream, path)
    return b"".join(pieces)


def _check_whole(stream: PlainBytes, path: str) -> None:
    if stream.problem is not None:
        raise DataError(stream.problem, path=path)
