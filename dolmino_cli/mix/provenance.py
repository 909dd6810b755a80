"""`part-NNNNN.documents.arrow`: which documents a part of a mix holds, to be looked up in without being read through.

The same documents as the `.csv.gz` beside it, in an uncompressed Arrow file of one record batch that is mapped into memory.
`end` rises, so the document at an offset is found by bisection; `key` rises, and it is a hash of source, copy and id
(`keys.order_key`), so a document's place is found from its id alone: the mix is its own index.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa

from dolmino_cli.errors import DataError
from dolmino_cli.shards import storage
from dolmino_cli.shards.storage import Pending

SUFFIX = ".documents.arrow"

SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),  # the order key; equal for equal ids of one source and copy
        ("end", pa.int64()),  # tokens from the part's beginning up to the document's end, its eos included
        ("source", pa.uint16()),  # which source of the lock's manifest, 0-based in its order
        ("copy", pa.uint16()),  # which pass over the source, 0-based
        ("id", pa.large_string()),
        ("src", pa.dictionary(pa.int32(), pa.large_string())),  # the shard, as the source's own rows name it
        ("loc", pa.int64()),  # the document's 1-based line (row of a Parquet file) in it
    ]
)


def provenance_name(part: str) -> str:
    """`part-00000.npy` -> `part-00000.documents.arrow`."""
    return part.removesuffix(".npy") + SUFFIX


def write_provenance(pending: Pending, documents: pa.RecordBatch) -> None:
    """Write one part's documents, columns as SCHEMA; the pending file is closed, not published. Equal rows, equal bytes."""
    with pa.ipc.new_file(pending, SCHEMA) as file:
        file.write_batch(documents)
    pending.close()


def read_provenance(path: str, sha256: str | None = None) -> pa.RecordBatch:
    """The documents of one part: mapped where the file is on the local disk, read whole from S3. Raises DataError.

    With `sha256` it is read through and must have it: Arrow follows the offsets of a damaged file wherever they lead, so that
    the process can be killed. That takes some 10 ms a part.
    """
    try:
        # numpy's map holds no file descriptor, of which a mix of thousands of parts would need too many.
        remote = path.startswith("s3://")
        buffer = pa.py_buffer(storage.read_bytes(path) if remote else np.memmap(Path(path), np.uint8, "r"))
        if sha256 is not None and (found := hashlib.sha256(buffer).hexdigest()) != sha256:
            problem = f"was changed after it was written: its sha256 is {found}, the lock says {sha256}; sample the mix again"
            raise DataError(problem, path=path)
        reader = pa.ipc.open_file(buffer)
        if reader.schema != SCHEMA or reader.num_record_batches != 1:
            raise DataError("is not the documents of a mix's part", path=path)
        return reader.get_batch(0)
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise DataError(f"is not the documents of a mix's part: {error}", path=path) from None
