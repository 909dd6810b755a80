"""The pieces of a run: one shard of documents, whole, or cut after the document with which a number of tokens is reached."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from dolmino_cli.errors import ConfigError
from dolmino_cli.executors import counters
from dolmino_cli.shards import ledger
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile
from dolmino_cli.shards.storage import Output
from dolmino_cli.shards.writing import DocumentWriter
from dolmino_cli.sources.arithmetic.documents import Document, make
from dolmino_cli.sources.arithmetic.draws import key_of
from dolmino_cli.tokenizer.engine import Engine, load_engine

DOCUMENTS_PER_SHARD = 1 << 14
"""Some half a million tokens: 11M of them make two dozen shards, to be shared out among workers."""

_DOCUMENTS_AT_ONCE = 1 << 11
_ZSTD_LEVEL = 1


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all tasks of a run share; picklable. `recipe` is everything that the output depends on."""

    seed: int
    documents_per_shard: int
    tokenizer_path: str
    tokenizer_sha256: str
    eos_id: int
    output: Output
    recipe: dict[str, Any]

    def load(self) -> Engine:
        """The tokenizer's engine, loaded once per process. Raises ConfigError when its file changed under the run."""
        engine = load_engine(self.tokenizer_path)
        if engine.identity.sha256 != self.tokenizer_sha256:
            raise ConfigError(f"{self.tokenizer_path} changed while the run was going on; run again with one tokenizer")
        return engine


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """Shard `number`: its first `documents` documents, or fewer, when some of them have `tokens_left` tokens already."""

    job: Job
    number: int
    documents: int
    tokens_left: int | None

    @property
    def name(self) -> str:
        """As the ledger and the shard are named."""
        return name_of(self.number)

    @property
    def first_document(self) -> int:
        """Number of the shard's first document: all the input that a shard has."""
        return self.number * self.job.documents_per_shard

    def is_done_by(self, entry: LedgerEntry | None) -> bool:
        """Is what is written the shard that the task makes, or that one cut where the target was found to be reached?"""
        if entry is None or self.tokens_left is None:
            return entry is not None
        counts = entry.counts
        reached = counts["tokens"] >= self.tokens_left or counts["documents"] == self.documents
        return bool(reached and counts["tokens"] - counts["last_document_tokens"] < self.tokens_left)


def written(task: ShardTask) -> LedgerEntry | None:
    """The shard's entry, if it is written."""
    entry = ledger.load(task.job.output, task.name)
    return entry if task.is_done_by(entry) else None


def name_of(number: int) -> str:
    """The name of shard `number`."""
    return f"part-{number:05d}"


def file_of(number: int) -> str:
    """Where the documents of shard `number` are written."""
    return f"documents/{name_of(number)}.jsonl.zst"


@dataclass(kw_only=True)
class Tally:
    """What was made. Tokens are as `retokenize` counts them: each document's and its end-of-text token."""

    documents: int = 0
    tokens: int = 0
    last_document_tokens: int = 0
    text_bytes: int = 0
    equations: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    wordings: Counter[str] = field(default_factory=Counter)
    notations: Counter[str] = field(default_factory=Counter)

    def add(self, documents: list[Document], tokens: np.ndarray) -> None:
        """Count documents and the tokens of each."""
        self.documents += len(documents)
        self.tokens += int(tokens.sum())
        self.last_document_tokens = int(tokens[-1])
        self.equations += sum(len(document.equations) for document in documents)
        self.operations.update(document.operation for document in documents)
        for document in documents:
            wording, *_, notation = document.template.split("/")
            self.wordings[wording.partition(".j")[0]] += 1
            self.notations[notation] += 1

    def counts(self) -> dict[str, Any]:
        """As the ledger keeps them; by name, so that nothing depends on which document came first."""
        plain = {name: getattr(self, name) for name in ("documents", "tokens", "last_document_tokens", "equations")}
        by_name = {name: dict(sorted(getattr(self, name).items())) for name in ("operations", "wordings", "notations")}
        return plain | by_name


def run(task: ShardTask) -> LedgerEntry:
    """Do one task. Raises StorageError."""
    started = time.perf_counter()
    job, tally, name = task.job, Tally(), file_of(task.number)
    engine = job.load()
    with job.output.create(name) as pending:
        writer = DocumentWriter(pending, ".jsonl.zst", zstd_level=_ZSTD_LEVEL)
        for documents, tokens, text_bytes in made(job, task.first_document, task.documents):
            if task.tokens_left is not None:
                # The document that reaches the target is the last.
                reached = int(np.searchsorted(np.cumsum(tokens), task.tokens_left - tally.tokens)) + 1
                documents, tokens = documents[:reached], tokens[:reached]
            tally.add(documents, tokens)
            tally.text_bytes += text_bytes
            writer.write(pa.array([document.record(job.seed) for document in documents], pa.large_binary()))
            counters.advance(documents=len(documents), bytes=text_bytes)
            if task.tokens_left is not None and tally.tokens >= task.tokens_left:
                break
        beyond = task.tokens_left is not None and tally.tokens - tally.last_document_tokens >= task.tokens_left
        assert not beyond, f"{task.name} was not cut after the document that reaches the target"
        writer.finish()
        pending.publish()
    entry = LedgerEntry(
        name=task.name,
        recipe=job.recipe,
        input={"first_document": task.first_document},
        counts=tally.counts(),
        bytes={"text": tally.text_bytes, "plain": writer.plain_bytes, "written": pending.bytes},
        outputs={name: OutputFile(bytes=pending.bytes, sha256=pending.sha256)},
        seconds={"make": round(time.perf_counter() - started, 4)},
        engine={"tokenizer": engine.description},
    )
    ledger.save(job.output, entry)
    return entry


def made(job: Job, first: int, count: int) -> Iterator[tuple[list[Document], np.ndarray, int]]:
    """`count` documents from number `first` on, some thousand at a time: documents, tokens of each, bytes of text.

    Raises DataError when the engine is found to differ from `tokenizers`.
    """
    engine, key = job.load(), key_of(job.seed)
    for start in range(first, first + count, _DOCUMENTS_AT_ONCE):
        numbers = range(start, min(start + _DOCUMENTS_AT_ONCE, first + count))
        documents = [make(key, number) for number in numbers]
        text = pa.array([document.text for document in documents], pa.large_string())
        tokens = engine.encode_ended(text, job.eos_id)
        lines = pa.array(range(1 + start - first, 1 + start - first + len(documents)), pa.int64())
        engine.check_sample(text, tokens, ended=True, path=file_of(first // job.documents_per_shard), lines=lines)
        yield documents, np.diff(tokens.offsets), text.buffers()[2].size
