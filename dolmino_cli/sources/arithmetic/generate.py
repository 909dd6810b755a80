"""Generate: shards of arithmetic up to a number of tokens or documents, by any number of workers, the same bytes for a seed.

    plan = plan_generate(output="arithmetic", tokenizer="allenai/dolma2-tokenizer", seed=42, tokens=11_000_000)
    for entry in execute(plan, Local(workers=2)): ...
    totals = finish(plan)

`generate` does all three. A larger target's documents begin with those of a smaller one.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from dolmino_cli import __version__
from dolmino_cli.errors import ConfigError
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.shards import ledger
from dolmino_cli.shards.ledger import LedgerEntry
from dolmino_cli.shards.storage import Output
from dolmino_cli.sources.arithmetic import PRELOAD, tasks
from dolmino_cli.sources.arithmetic.documents import SOURCE, Document
from dolmino_cli.sources.arithmetic.tasks import DOCUMENTS_PER_SHARD, Job, ShardTask, file_of, name_of
from dolmino_cli.tokenizer.identity import TokenizerIdentity, resolve

SUMMARY_VERSION = 1
GENERATOR_VERSION = 1
"""Which documents a seed stands for; a test pins them, so that no change goes unnoticed."""

LICENCE = "output is arithmetic facts in our own words; Apache-2.0 as this program"
REFERENCE = "OLMo 2 paper (arXiv:2501.00656), section 4.4.1, DolminoSynthMath"


_SAMPLED_DOCUMENTS = 1 << 11
_MARGIN = 1.02  # on the tokens of a shard, so that whole shards stay below the target and only the last is cut


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The first documents of a seed, and what they tell of the rest."""

    documents: list[Document]
    tokens: int
    record_bytes: int
    seconds: float

    @property
    def tokens_per_document(self) -> float:
        """Mean."""
        return self.tokens / len(self.documents)


@dataclass(kw_only=True)
class Plan:
    """A run about to be: `tokens` or `documents` is its target, the other None; `shards` are those finished, by number."""

    job: Job
    tokenizer: TokenizerIdentity
    tokens: int | None
    documents: int | None
    shards: dict[int, LedgerEntry] = field(default_factory=dict)
    tokens_per_document: float | None = None
    """As measured; needed where no shard is finished yet."""

    def expected_shards(self) -> int:
        """How many shards are to make; an estimate where the target is in tokens."""
        return (
            len(self.next_tasks())
            if self.tokens is None
            else max(0, ceil(self._first_missing(self.shards)[1] / self._tokens_per_shard(self.shards)))
        )

    def next_tasks(self) -> list[ShardTask]:
        """The shards to make next, several at a time where it is known that all of them are needed; empty when all is done.

        What is made in which round follows from the seed, not from what is there: several processes decide the same.
        """
        if self.documents is None and self._first_missing(self.shards)[1] <= 0:
            return []
        made: dict[int, LedgerEntry] = {}
        while several := self._round(made):
            if missing := [task for task in several if not task.is_done_by(self.shards.get(task.number))]:
                return missing
            made |= {task.number: self.shards[task.number] for task in several}
        return []

    def _round(self, made: dict[int, LedgerEntry]) -> list[ShardTask]:
        """The shards to make when those of the rounds before are `made`."""
        size = self.job.documents_per_shard
        if self.documents is not None:
            starts = enumerate(range(0, self.documents, size))
            return [self._task(n, min(size, self.documents - start)) for n, start in starts if n not in made]
        first, left = self._first_missing(made)
        if left <= 0:
            return []
        whole = 0 if first in made else int(left / (self._tokens_per_shard(made) * _MARGIN))
        if not whole:
            return [self._task(first, size, tokens_left=left)]
        return [self._task(n, size) for n in range(first, first + whole) if n not in made]

    @property
    def last_shard(self) -> int:
        """Number of the last shard of a run that is done."""
        if self.documents is not None:
            return (self.documents - 1) // self.job.documents_per_shard
        return self._first_missing(self.shards)[0] - 1

    def _task(self, number: int, documents: int, *, tokens_left: int | None = None) -> ShardTask:
        return ShardTask(job=self.job, number=number, documents=documents, tokens_left=tokens_left)

    def _first_missing(self, made: dict[int, LedgerEntry]) -> tuple[int, int]:
        """The first shard that is not made or goes beyond the target, and the tokens left for it and those after it."""
        left = self.tokens or 0
        for number in itertools.count():
            shard = made.get(number)
            # A shard goes beyond when it reached the target with a document before its last.
            if left <= 0 or shard is None or shard.counts["tokens"] - shard.counts["last_document_tokens"] >= left:
                return number, left
            left -= shard.counts["tokens"]
        raise AssertionError("a count has no end")

    def _tokens_per_shard(self, made: dict[int, LedgerEntry]) -> float:
        if made:
            documents, tokens = (sum(entry.counts[what] for entry in made.values()) for what in ("documents", "tokens"))
            return float(tokens / documents * self.job.documents_per_shard)
        if self.tokens_per_document is None:
            self.tokens_per_document = sample(self).tokens_per_document
        return self.tokens_per_document * self.job.documents_per_shard


def generate(*, workers: int = 1, **options: Any) -> dict[str, Any]:
    """Make the documents; `options` are those of `plan_generate`. Returns what `finish` returns."""
    plan = plan_generate(**options)
    for _ in execute(plan, Local(workers=workers)):
        pass
    return finish(plan)


def plan_generate(
    *,
    output: str,
    tokenizer: str,
    seed: int,
    tokens: int | None = None,
    documents: int | None = None,
    eos: str | None = None,
    documents_per_shard: int = DOCUMENTS_PER_SHARD,
) -> Plan:
    """See what is done already; nothing is written. The run ends with the document that reaches `tokens`, or with `documents`.

    Raises ConfigError for both targets or none, and when the output holds a run of other options, naming what changed.
    """
    if (tokens is None) == (documents is None):
        raise ConfigError(f"--tokens {tokens}, --documents {documents}: give one of the two")
    for option, value in (("--tokens", tokens), ("--documents", documents)):
        if value is not None and value < 1:
            raise ConfigError(f"{option} {value}: give 1 or more")
    identity = resolve(tokenizer, eos)
    assert identity.eos_id is not None, "resolve demands an eos"
    job = Job(
        seed=seed,
        documents_per_shard=documents_per_shard,
        tokenizer_path=str(identity.path),
        tokenizer_sha256=identity.sha256,
        eos_id=identity.eos_id,
        output=Output(output),
        recipe={
            "name": "generate arithmetic",
            "generator_version": GENERATOR_VERSION,
            "seed": seed,
            "tokens": tokens,
            "documents": documents,
            "documents_per_shard": documents_per_shard,
            "tokenizer": identity.as_record(),
        },
    )
    return Plan(job=job, tokenizer=identity, tokens=tokens, documents=documents, shards=_finished(job))


def sample(plan: Plan) -> Sample:
    """The first documents of the seed, with the seconds that they take; the tokenizer is loaded before the clock starts."""
    plan.job.load()
    started = time.perf_counter()
    documents, tokens, record_bytes = [], 0, 0
    for some, lengths, _ in tasks.made(plan.job, 0, _SAMPLED_DOCUMENTS):
        documents += some
        tokens += int(lengths.sum())
        record_bytes += sum(len(document.record(plan.job.seed)) + 1 for document in some)
    return Sample(documents=documents, tokens=tokens, record_bytes=record_bytes, seconds=time.perf_counter() - started)


def execute(plan: Plan, executor: Executor, *, counters: Counters | None = None) -> Iterator[LedgerEntry]:
    """Make what is left; yields each shard's entry when it is written. `finish` must be called after the last.

    All shards are tried; what failed is raised at the end: RunFailed, or a single failure. Finished shards are kept.
    """
    output = plan.job.output
    phase = Phase(name="generate", name_of=lambda task: task.name, recorded=tasks.written, folder="ledger")
    with executor.claim(output):
        if todo := plan.next_tasks():
            output.put("run.json", _summary(plan, complete=False))
        while todo:
            for task, entry in attempt_all(
                executor, tasks.run, todo, phase=phase, what="shards", output=output, counters=counters, preload=PRELOAD
            ):
                plan.shards[task.number] = entry
                yield entry
            todo = plan.next_tasks()


def finish(plan: Plan) -> dict[str, Any]:
    """Write run.json, the last of all: it says that the run is whole. Returns its counts."""
    assert not plan.next_tasks(), "finish called before every shard was done"
    for number in [number for number in plan.shards if number > plan.last_shard]:
        # More whole shards were made than it takes, for the guess of tokens a shard was too low.
        plan.job.output.delete(f"ledger/{name_of(number)}.json")
        plan.job.output.delete(file_of(number))
        del plan.shards[number]
    plan.job.output.put("run.json", _summary(plan, complete=True))
    return _totals(plan)


def _finished(job: Job) -> dict[int, LedgerEntry]:
    found = {}
    for entry in ledger.load_all(job.output):
        changed = ledger.difference(entry, recipe=job.recipe, input=entry.input)
        if changed:
            problem = f"{job.output.root} holds {entry.name!r} of another run: {'; '.join(changed)}"
            raise ConfigError(f"{problem}; give another --output, or delete this one")
        found[entry.input["first_document"] // job.documents_per_shard] = entry
    return found


def _totals(plan: Plan) -> dict[str, Any]:
    plain: Counter[str] = Counter()
    by_name: dict[str, Counter[str]] = {name: Counter() for name in ("operations", "wordings", "notations")}
    for entry in plan.shards.values():
        plain.update({name: entry.counts[name] for name in ("documents", "tokens", "equations")})
        for name, counter in by_name.items():
            counter.update(entry.counts[name])
    return {**plain, **{name: dict(sorted(counter.items())) for name, counter in by_name.items()}}


def _summary(plan: Plan, *, complete: bool) -> bytes:
    files = [
        {"name": file_of(number), "documents": entry.counts["documents"], "tokens": entry.counts["tokens"]}
        | {"bytes": output.bytes, "sha256": output.sha256}
        for number, entry in sorted(plan.shards.items())
        for output in entry.outputs.values()
    ]
    content = {
        "dolmino_run": SUMMARY_VERSION,
        "dolmino": __version__,
        "complete": complete,
        "source": SOURCE,
        "licence": LICENCE,
        "reference": REFERENCE,
        "recipe": plan.job.recipe,
        "recipe_sha256": ledger.recipe_hash(plan.job.recipe),
        "counts": _totals(plan),
        "files": files,
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
