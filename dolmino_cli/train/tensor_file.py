"""Safetensors files as places of tensors: read and written by the piece, so that no tensor need be in memory whole.

The format (huggingface/safetensors, README): 8 bytes of header length, little-endian; a JSON header of name -> dtype, shape,
data_offsets; the tensors' bytes. Needs no torch: what numpy lacks, bf16, is the upper half of an fp32.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import DataError, StorageError, unreadable

# Of a dtype: how numpy holds its bytes.
STORED_AS: dict[str, type[np.generic]] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "BOOL": np.uint8,
    "U8": np.uint8,
    "I8": np.int8,
    "I16": np.int16,
    "U16": np.uint16,
    "I32": np.int32,
    "U32": np.uint32,
    "I64": np.int64,
    "U64": np.uint64,
}
FLOATING = frozenset({"F64", "F32", "F16", "BF16"})
_HEADER_MOST_BYTES = 100_000_000  # what the format allows


@dataclass(frozen=True, kw_only=True)
class TensorPlace:
    """Where a tensor lies."""

    path: Path
    dtype: str
    """As safetensors spells it: F32, BF16, ..."""
    shape: tuple[int, ...]
    start: int
    """Its first byte, counted from the beginning of the file."""

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    def read(self, first: int, count: int) -> npt.NDArray[Any]:
        """`count` elements from `first` on, flat; bf16 as its bits. Raises StorageError."""
        stored = np.dtype(STORED_AS[self.dtype])
        try:
            found = np.fromfile(self.path, stored.newbyteorder("<"), count, offset=self.start + first * stored.itemsize)
        except OSError as error:
            raise unreadable(self.path, error) from None
        if len(found) < count:  # numpy says nothing of it, and one number would count for all
            raise StorageError(
                f"{self.path}: cannot be read: {len(found):,} of {count:,} numbers came; try again, or copy it again"
            )
        return found


def read_places(path: Path) -> dict[str, TensorPlace]:
    """Every tensor of a safetensors file, in the order of its bytes. Raises StorageError; DataError for none or a cut one."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, _HEADER_MOST_BYTES):
                raise DataError(
                    f"is no safetensors file: its header would be {length:,} of {size:,} bytes; copy it again", path=str(path)
                )
            header = file.read(length)
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        entries = {name: entry for name, entry in json.loads(header).items() if name != "__metadata__"}
        places = {name: _place(path, entry, 8 + length) for name, entry in entries.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"is no safetensors file: its header cannot be read ({error}); copy it again", path=str(path)) from None
    for name, place in places.items():
        if place.dtype not in STORED_AS:
            known = ", ".join(STORED_AS)
            raise DataError(
                f"tensor {name} is of dtype {place.dtype}; those that can be averaged or copied: {known}", path=str(path)
            )
        end = place.start + place.elements * np.dtype(STORED_AS[place.dtype]).itemsize
        if end - 8 - length != entries[name]["data_offsets"][1]:
            raise DataError(f"tensor {name} has a shape that is not the size of its bytes; copy the file again", path=str(path))
        if end > size:
            raise DataError(f"is cut short: tensor {name} ends at byte {end:,} of {size:,}; copy it again", path=str(path))
    return dict(sorted(places.items(), key=lambda item: item[1].start))


def _place(path: Path, entry: dict[str, Any], data: int) -> TensorPlace:
    shape = tuple(int(size) for size in entry["shape"])
    return TensorPlace(path=path, dtype=str(entry["dtype"]), shape=shape, start=data + int(entry["data_offsets"][0]))


def header_of(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> bytes:
    """The beginning of a file that holds these tensors (dtype and shape by name) one after the other."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, shape) in tensors.items():
        end = at + bytes_of(dtype, shape)
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data are aligned to 8 bytes
    return len(text).to_bytes(8, "little") + text


def bytes_of(dtype: str, shape: tuple[int, ...]) -> int:
    """What a tensor takes in a file."""
    return math.prod(shape) * np.dtype(STORED_AS[dtype]).itemsize


def to_floats(raw: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Stored elements as fp32 (F64 as it is), exactly."""
    if dtype == "BF16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return raw if dtype == "F64" else raw.astype(np.float32)


def from_floats(values: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Finite numbers as `dtype` is stored, rounded to the nearest, ties to even."""
    if dtype != "BF16":
        return values.astype(np.dtype(STORED_AS[dtype]).newbyteorder("<"))
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype("<u2")
