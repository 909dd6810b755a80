"""A shard's encoded documents kept on the local disk until its group is complete: the ids, and one row per document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from dolmino_cli.errors import StorageError
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.encode import Encoded

_ROWS = pa.schema([("length", pa.int64()), ("id", pa.large_string()), ("line", pa.int64())])


def save(documents: Iterable[Encoded], scratch: Output, name: str) -> None:
    """Write the documents as `name`.ids and `name`.rows, which appear when both are whole."""
    with scratch.create(f"{name}.ids") as ids, scratch.create(f"{name}.rows") as rows:
        with pa.ipc.new_stream(pa.PythonFile(rows, mode="w"), _ROWS) as writer:
            for batch in documents:
                ids.write(batch.ids)
                writer.write_batch(pa.record_batch([pa.array(np.diff(batch.offsets)), batch.id, batch.line], schema=_ROWS))
        ids.publish()
        rows.publish()


def read(scratch: Output, name: str, *, src: str, dtype: np.dtype[np.unsignedinteger]) -> Iterator[Encoded]:
    """The documents as they were saved. A batch's ids are overwritten by the next one. Raises StorageError."""
    ids_path, rows_path = scratch.local_path(f"{name}.ids"), scratch.local_path(f"{name}.rows")
    assert ids_path is not None and rows_path is not None, "scratch is always local"
    buffer = np.empty(0, dtype)
    with storage_errors("read", str(ids_path)), ids_path.open("rb") as ids_file, pa.ipc.open_stream(rows_path) as rows:
        for batch in rows:
            offsets = np.zeros(len(batch) + 1, np.int64)
            np.cumsum(batch.column("length").to_numpy(), out=offsets[1:])
            if len(buffer) < offsets[-1]:
                buffer = np.empty(int(offsets[-1]), dtype)
            ids = buffer[: int(offsets[-1])]
            if ids_file.readinto(ids.view(np.uint8).data) < ids.nbytes:  # what is not read would be an earlier batch's
                raise StorageError(f"cannot read {ids_path}: it ends early; run the same command again")
            yield Encoded(ids, offsets, batch.column("id"), batch.column("line"), src)
