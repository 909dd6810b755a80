"""The fastText `.bin` format (magic 793712314, versions 11 and 12): arguments, dictionary, where the matrices lie.

Layout, little-endian, as fastText 0.9.3 writes it: 12 int32 and a double of arguments; the dictionary's sizes and entries
(word, NUL, int64 count, int8 type), then the pruning index; a byte that says whether the input matrix is quantised; int64
rows, int64 columns and float32 values of the input matrix; the same of the output matrix. Only arguments and dictionary are
read here.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.errors import ConfigError, unreadable

_MAGIC = 793712314
_VERSIONS = (11, 12)
_ARGUMENTS = struct.Struct("<12id")
_SIZES = struct.Struct("<3i2q")
_LOSSES = {1: "hierarchical softmax", 2: "negative sampling", 3: "softmax", 4: "one-vs-all"}
_SUPERVISED = 3


@dataclass(frozen=True, kw_only=True)
class FasttextModel:
    """What a supervised model file says about itself. `words` and `labels` are bytes as the file has them."""

    path: Path
    dim: int
    word_ngrams: int
    loss: str
    buckets: int
    longest_subword: int
    words: tuple[bytes, ...]
    labels: tuple[str, ...]
    pruned: bool
    quantised: bool
    input_rows: int  # 0 if quantised
    input_at: int  # byte offset of the input matrix's values, float32, input_rows x dim
    output_at: int  # the same of the output matrix, labels x dim

    @property
    def why_not_folded(self) -> str:
        """What keeps this model from being folded into one table; empty if nothing does."""
        if self.quantised or self.pruned:
            return "the model is quantised or pruned"
        if self.loss != "softmax":
            return f"its loss is {self.loss}, not softmax"
        if self.longest_subword > 0:
            return f"it uses subwords (maxn {self.longest_subword})"
        if self.word_ngrams > 1 and self.buckets <= 0:
            return "it has word n-grams but no buckets"
        if len(self.labels) > self.dim:
            return f"its {len(self.labels)} labels would make a table larger than its vectors of {self.dim}"
        if self.input_rows != len(self.words) + self.buckets:
            return f"its input matrix has {self.input_rows} rows, not {len(self.words)} words + {self.buckets} buckets"
        return ""


def read_model(path: Path) -> FasttextModel:
    """The model in `path`. Raises StorageError; ConfigError for no supervised model of a known version, or for a cut one."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(path, data)
    except OSError as error:
        raise unreadable(path, error) from None
    except (struct.error, ValueError, IndexError):
        raise ConfigError(f"{path}: not a whole fastText model; fetch it again") from None


def _parse(path: Path, data: mmap.mmap) -> FasttextModel:
    magic, version = struct.unpack_from("<2i", data)
    if magic != _MAGIC or version not in _VERSIONS:
        raise ConfigError(f"{path}: not a fastText model of version 11 or 12 (its first bytes are {data[:8].hex(' ')})")
    dim, _, _, _, _, word_ngrams, loss, model, buckets, _, maxn, _, _ = _ARGUMENTS.unpack_from(data, 8)
    if model != _SUPERVISED:
        raise ConfigError(f"{path}: a fastText model of word vectors; scoring documents needs a supervised one (with labels)")
    entries, n_words, n_labels, _, pruned = _SIZES.unpack_from(data, 8 + _ARGUMENTS.size)
    names, at = _parse_entries(data, 8 + _ARGUMENTS.size + _SIZES.size, entries)
    at += 8 * max(pruned, 0)
    quantised = data[at] != 0
    rows, columns = (0, dim) if quantised else struct.unpack_from("<2q", data, at + 1)
    input_at = at + 1 + 16
    output_at = input_at + 4 * rows * columns + 1 + 16
    if not quantised and (columns != dim or output_at + 4 * n_labels * dim != len(data)):
        raise ValueError
    return FasttextModel(
        path=path,
        dim=dim,
        word_ngrams=word_ngrams,
        loss=_LOSSES.get(loss, f"unknown ({loss})"),
        buckets=buckets,
        # Version 11 wrote a default here that its supervised models never used.
        longest_subword=0 if version == 11 else maxn,
        words=tuple(names[:n_words]),
        labels=tuple(name.decode("utf-8", "surrogateescape") for name in names[n_words : n_words + n_labels]),
        pruned=pruned >= 0,
        quantised=quantised,
        input_rows=rows,
        input_at=input_at,
        output_at=output_at,
    )


def _parse_entries(data: mmap.mmap, at: int, count: int) -> tuple[list[bytes], int]:
    """The dictionary's `count` words and labels, and where the bytes after them begin."""
    names = []
    for _ in range(count):
        end = data.find(b"\0", at)
        if end < 0:
            raise ValueError
        names.append(data[at:end])
        at = end + 1 + 8 + 1  # NUL, count, type
    return names, at
