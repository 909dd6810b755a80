"""A shard's documents as token ids: stripped, encoded, ended with eos; what is empty or unreadable is counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.buffers import text_buffers
from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.executors import counters
from dolmino_cli.pipeline.memory import check_ceiling, give_back
from dolmino_cli.pipeline.quarantine import Quarantine
from dolmino_cli.shards.ledger import OutputFile
from dolmino_cli.shards.read_options import MAX_DOCUMENT_BYTES
from dolmino_cli.shards.reading import OnError, read_batches
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokenizer.engine import Engine, EngineName, load_engine
from dolmino_cli.tokenizer.reference import SpecialTokens
from dolmino_cli.tokenizer.tokens import Tokens

BATCH_BYTES = 2 << 20
"""What is encoded at a time. 1 MiB is 8 % slower here, as each batch has its price, and 4 MiB takes new memory for each."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How text becomes ids; all that a worker needs to load the same tokenizer."""

    tokenizer_path: str
    tokenizer_sha256: str
    eos_id: int
    bos_id: int | None
    special_tokens: SpecialTokens
    strip: bool
    engine: EngineName
    on_error: OnError
    max_document_bytes: int = MAX_DOCUMENT_BYTES
    memory_bytes: int | None = None  # that a worker may have

    def load(self) -> Engine:
        """The engine, loaded once per process. Raises ConfigError when the tokenizer's file changed under the run."""
        engine = load_engine(self.tokenizer_path, engine=self.engine, special_tokens=self.special_tokens)
        if engine.identity.sha256 != self.tokenizer_sha256:
            raise ConfigError(f"{self.tokenizer_path} changed while the run was going on; run again with one tokenizer")
        return engine


@dataclass(frozen=True, eq=False)
class Encoded:
    """Consecutive documents of one shard as they go into an array. Document i is `ids[offsets[i]:offsets[i + 1]]`."""

    ids: npt.NDArray[np.unsignedinteger]
    offsets: npt.NDArray[np.int64]
    id: pa.LargeStringArray
    line: pa.Int64Array
    src: str

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(kw_only=True)
class Tally:
    """What became of records: `read` = tokenised + empty + quarantined. `text_bytes` are those of all texts read."""

    tokenised: int = 0
    empty: int = 0
    quarantined: int = 0
    text_bytes: int = 0
    quarantine_files: dict[str, OutputFile] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Records met."""
        return self.tokenised + self.empty + self.quarantined

    def add(self, other: Tally) -> None:
        """Count other shards' records here."""
        self.tokenised += other.tokenised
        self.empty += other.empty
        self.quarantined += other.quarantined
        self.text_bytes += other.text_bytes
        self.quarantine_files |= other.quarantine_files


@dataclass(kw_only=True)
class Position:
    """The batch that is being encoded: of which shard (its place among several), which one, and the counts before it."""

    place: int = 0
    batch: int = 0
    tally: Tally = field(default_factory=Tally)

    def move_to(self, place: int, batch: int, tally: Tally) -> None:
        """Go on to another batch; `tally` goes on counting."""
        self.place, self.batch = place, batch
        self.tally = replace(tally, quarantine_files=dict(tally.quarantine_files))


def encode_shard(
    shard: Shard,
    encoding: Encoding,
    dtype: np.dtype[np.unsignedinteger],
    output: Output,
    tally: Tally,
    *,
    place: int = 0,
    position: Position | None = None,
    done_batches: int = 0,
) -> Iterator[Encoded]:
    """The shard's documents in order, batch by batch; counts go to `tally`, unreadable records to `output`'s quarantine.

    The first `done_batches` are counted and encoded already: of those only what is set aside is kept. `position` is moved to each
    batch before it is encoded, `place` being the shard's.

    Raises DataError for a record that is no document (unless they are quarantined), for an id outside the vocabulary and
    when the engine is found to differ from `tokenizers`; StorageError.
    """
    engine = encoding.load()
    with Quarantine(shard, output) as quarantine:
        batches = read_batches(
            shard,
            on_error=encoding.on_error,
            batch_bytes=BATCH_BYTES,
            records=False,
            max_document_bytes=encoding.max_document_bytes,
        )
        for number, (batch, unreadable) in enumerate(batches):
            quarantine.add(unreadable)
            if number < done_batches:
                continue
            if position is not None:
                position.move_to(place, number, tally)
            tally.quarantined += len(unreadable)
            text_bytes = pc.sum(pc.binary_length(batch.text)).as_py() or 0
            tally.text_bytes += text_bytes
            counters.advance(documents=len(batch) + len(unreadable), bytes=text_bytes)
            texts = _without_empty(batch, encoding.strip)
            tally.empty += len(batch) - len(texts)
            if len(texts):
                encoded = _encode(texts, shard.name, engine, encoding, dtype)
                tally.empty += len(texts) - len(encoded)
                tally.tokenised += len(encoded)
                yield encoded
                del encoded
            check_ceiling(encoding.memory_bytes, shard.path)
            del batch, texts  # before the next one is read
            give_back(text_bytes)
        tally.quarantine_files |= quarantine.publish()


def _without_empty(batch: Batch, strip: bool) -> Batch:
    if strip:
        batch = Batch(shard=batch.shard, id=batch.id, text=stripped(batch.text), record=batch.record, line=batch.line)
    return batch.where(pc.binary_length(batch.text).to_numpy() > 0)


def stripped(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """Python's `str.strip()` of every document; the same array where none begins or ends with what could be white space."""
    data, offsets = text_buffers(text)
    filled = offsets[1:] > offsets[:-1]
    edges = np.concatenate([data[offsets[:-1][filled]], data[offsets[1:][filled] - 1]])
    maybe_space = (edges <= 0x20) | (edges >= 0x80)
    return pc.utf8_trim_whitespace(text) if maybe_space.any() else text


def _encode(batch: Batch, src: str, engine: Engine, encoding: Encoding, dtype: np.dtype[np.unsignedinteger]) -> Encoded:
    tokens = engine.encode_ended(batch.text, encoding.eos_id)
    engine.check_sample(batch.text, tokens, ended=True, path=batch.shard, lines=batch.line)
    if len(tokens.ids) and tokens.ids.max() >= engine.identity.vocabulary_size:
        at = int(np.argmax(tokens.ids >= engine.identity.vocabulary_size))
        row = int(np.searchsorted(tokens.offsets, at, side="right")) - 1
        problem = f"token id {tokens.ids[at]} is outside the vocabulary ({engine.identity.vocabulary_size} ids)"
        raise DataError(problem, path=batch.shard, line=batch.line[row].as_py())
    has_ids = np.diff(tokens.offsets) > 1  # besides eos
    if not has_ids.all():
        tokens, batch = _chosen(tokens, has_ids), batch.where(has_ids)
    tokens = _one_eos(tokens, encoding.eos_id)
    if encoding.bos_id is not None:
        tokens = _with_bos(tokens, encoding.bos_id)
    return Encoded(tokens.ids.astype(dtype, copy=False), tokens.offsets, batch.id, batch.line, src)


def _chosen(tokens: Tokens, mask: npt.NDArray[np.bool_]) -> Tokens:
    return Tokens.of([tokens.document(row) for row in np.flatnonzero(mask).tolist()])


def _one_eos(tokens: Tokens, eos_id: int) -> Tokens:
    """Without the eos that was put after a document whose own last id is eos already (dolma's rule)."""
    last = tokens.offsets[1:] - 1
    twice = tokens.ids[last - 1] == eos_id
    if not twice.any():
        return tokens
    offsets = tokens.offsets.copy()
    offsets[1:] -= np.cumsum(twice)
    return Tokens(np.delete(tokens.ids, last[twice]), offsets)


def _with_bos(tokens: Tokens, bos_id: int) -> Tokens:
    """With `bos_id` before every document that does not begin with it already."""
    first = tokens.offsets[:-1]
    missing = tokens.ids[first] != bos_id
    offsets = tokens.offsets.copy()
    offsets[1:] += np.cumsum(missing)
    return Tokens(np.insert(tokens.ids, first[missing], bos_id), offsets)
