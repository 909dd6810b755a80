"""A template over all shards: what is done already, what is left, and the account of the whole.

plan = plan_rewrite(["personas.jsonl"], template=load_template("persona-math-problem"), output="problems", ...)
survey_all(plan)        # reads every document and makes every prompt; costs nothing
ask_all(plan, endpoint) # asks; answers are in the journal at once, documents appear shard by shard
finish(plan)
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dolmino_cli import __version__
from dolmino_cli.errors import ConfigError, RunFailed
from dolmino_cli.pipeline.names import stem
from dolmino_cli.shards import ledger
from dolmino_cli.shards.faults import OnError
from dolmino_cli.shards.ledger import LedgerEntry, input_identity
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output
from dolmino_cli.sources.rewriting.account import Account, total
from dolmino_cli.sources.rewriting.asking import Asking, OpenShard, Progress
from dolmino_cli.sources.rewriting.endpoint import Endpoint
from dolmino_cli.sources.rewriting.journal import Journal, journal_path, locked, read_header, stored
from dolmino_cli.sources.rewriting.requests import Wanted
from dolmino_cli.sources.rewriting.shard_documents import write_shard
from dolmino_cli.sources.rewriting.survey import Surveyed, survey
from dolmino_cli.sources.rewriting.template import Template

if TYPE_CHECKING:
    from dolmino_cli.tokenizer.engine import Engine

SUMMARY_VERSION = 1


@dataclass(kw_only=True)
class Plan:
    """A run about to be: its shards, and what is finished or surveyed already, by name. `journal` is a local folder."""

    wanted: Wanted
    output: Output
    journal: Path
    shards: Sequence[Shard]
    finished: dict[str, LedgerEntry]
    surveyed: dict[str, Surveyed] = field(default_factory=dict)

    @property
    def left(self) -> list[Shard]:
        """The shards whose documents are not there, in order."""
        return [shard for shard in self.shards if shard.name not in self.finished]

    @property
    def requests_left(self) -> int:
        """Requests about the shards left, stored answers included. After `survey_all`."""
        return sum(self.surveyed[shard.name].requests for shard in self.left)

    @property
    def account(self) -> Account:
        """What the finished shards took."""
        return total(Account.of(entry.counts["asked"]) for entry in self.finished.values())

    @property
    def counts(self) -> dict[str, Any]:
        """Records, requests and documents of the finished shards: in = kept + dropped + quarantined."""
        summed, dropped = Counter[str](), Counter[str]()
        for entry in self.finished.values():
            summed.update({name: value for name, value in entry.counts.items() if isinstance(value, int)})
            dropped.update(entry.counts["dropped"])
        return {name: summed[name] for name in ("records", "in", "kept", "quarantined")} | {"dropped": dict(dropped)}


def plan_rewrite(
    inputs: Sequence[str], *, template: Template, output: str, journal: str | None, copies: int, on_error: OnError
) -> Plan:
    """List the shards and see what is done already; nothing is written.

    Raises ConfigError when the output or the journal is of a run with another template, other options or inputs, naming what
    changed; StorageError, DataError.
    """
    if copies > 1 and template.sampling.temperature == 0:
        raise ConfigError(f"--copies {copies} of {template.name!r}: at temperature 0 they would all be the same; use --copies 1")
    if copies > 1 and template.into is not None:
        raise ConfigError(f"--copies {copies} of {template.name!r}: it labels documents, and one has one label; use --copies 1")
    wanted = Wanted(template=template, copies=copies, on_error=on_error)
    target = Output(output)
    folder = _journal_folder(target, journal)
    shards = list_shards(inputs)
    _refuse_clashing_names(shards)
    finished = _finished(target, wanted, shards)
    for shard in shards:
        begun = read_header(journal_path(folder, shard.name))
        if begun is not None:
            entry = LedgerEntry(name=shard.name, recipe=begun[0], input=begun[1], counts={}, bytes={}, outputs={})
            _refuse_changed(entry, wanted, shard, f"the journal {folder} holds answers about {shard.name!r}")
    return Plan(wanted=wanted, output=target, journal=folder, shards=shards, finished=finished)


def look_again(plan: Plan) -> None:
    """See which shards another run has done since the plan was made. Raises as `plan_rewrite`."""
    plan.finished |= _finished(plan.output, plan.wanted, plan.shards)


def survey_all(plan: Plan, engine: Engine | None = None) -> Iterator[Surveyed]:
    """Read the shards left; yields each when it is through. `ask_all` needs them all. Raises DataError, StorageError."""
    for surveyed in survey(plan.left, plan.wanted, engine):
        plan.surveyed[surveyed.shard.name] = surveyed
        yield surveyed


def ask_all(plan: Plan, endpoint: Endpoint, *, progress: Callable[[Progress], None]) -> None:
    """Ask about the shards left until all answers are there and written. `finish` must be called after.

    A stored answer is never asked for again. Raises RunFailed when requests are left (stopped, tries used up, an endpoint that
    refuses); StorageError, MissingExtra. Whatever is raised, stored answers stay, and the same call goes on from there.
    """
    with locked(plan.journal, concurrency=endpoint.concurrency):
        begin(plan)
        ask_left(plan, endpoint, progress=progress)


def begin(plan: Plan) -> None:
    """Write run.json, which says that the run is not whole."""
    plan.output.put("run.json", _summary(plan, complete=False))


def ask_left(plan: Plan, endpoint: Endpoint, *, progress: Callable[[Progress], None]) -> None:
    """As `ask_all`, by a process that nobody else disturbs at the shards left."""

    def opened(shard: Shard) -> OpenShard:
        return OpenShard(shard=shard, journal=open_journal(plan, shard), requests=plan.surveyed[shard.name].requests)

    def finished(state: OpenShard) -> None:
        plan.finished[state.shard.name] = write_shard(state.shard, plan.wanted, state.journal, plan.output)

    asking = Asking(
        wanted=plan.wanted,
        endpoint=endpoint,
        opened=opened,
        finish=finished,
        answered=plan.account.answers > 0,
        progress=progress,
    )
    asyncio.run(asking.ask_all(plan.left, plan.requests_left))


def open_journal(plan: Plan, shard: Shard) -> Journal:
    """The journal of a surveyed shard, begun if there is none."""
    return Journal(
        journal_path(plan.journal, shard.name),
        recipe=plan.wanted.recorded(),
        input=input_identity(shard),
        requests=plan.surveyed[shard.name].requests,
    )


def so_far(plan: Plan) -> tuple[int, Account]:
    """Requests about the shards left that a rerun will not ask again; and the account of the whole run until now."""
    account, requests = plan.account, 0
    for shard in plan.left:
        of_shard = stored(journal_path(plan.journal, shard.name))
        requests += of_shard[0]
        account.merge(of_shard[1])
    return requests, account


def finish(plan: Plan) -> None:
    """Write run.json, the last of all: it says that the run is whole. Raises RunFailed when it is not."""
    if plan.left:
        raise RunFailed(f"{len(plan.left):,} of {len(plan.shards):,} shards are not done; run the same command again to go on")
    plan.output.put("run.json", _summary(plan, complete=True))


def _finished(output: Output, wanted: Wanted, shards: Sequence[Shard]) -> dict[str, LedgerEntry]:
    by_name = {shard.name: shard for shard in shards}
    entries = ledger.load_all(output)
    for entry in entries:
        if entry.name not in by_name:
            problem = f"{output.root} holds results of {entry.name!r}, which is not among the inputs now"
            raise ConfigError(f"{problem}; give the same inputs, or another --output")
        _refuse_changed(entry, wanted, by_name[entry.name], f"{output.root} holds results for {entry.name!r}")
    return {entry.name: entry for entry in entries}


def _journal_folder(output: Output, given: str | None) -> Path:
    if given is None and output.is_s3:
        raise ConfigError(
            f"--output {output.root} is on S3, where nothing can be appended; say where answers are kept until their shard is "
            "done: --journal DIR, a local folder that outlives this machine's restarts"
        )
    folder = given if given is not None else output.path("journal")
    if "://" in folder:
        raise ConfigError(f"--journal {folder!r}; give a local folder")
    return Path(folder)


def _refuse_changed(entry: LedgerEntry, wanted: Wanted, shard: Shard, holds: str) -> None:
    changed = ledger.difference(entry, recipe=wanted.recorded(), input=input_identity(shard))
    if changed:
        advice = "use another --output (and --journal), or delete this one"
        raise ConfigError(f"{holds} of another run: {'; '.join(changed)}; {advice}")


def _refuse_clashing_names(shards: Sequence[Shard]) -> None:
    seen: dict[str, Shard] = {}
    for shard in shards:
        other = seen.setdefault(stem(shard.name), shard)
        if other is not shard:
            raise ConfigError(f"{other.path} and {shard.path} would both be written to one file; run them into two outputs")


def _summary(plan: Plan, *, complete: bool) -> bytes:
    template = plan.wanted.template
    recipe = plan.wanted.recorded()
    content = {
        "dolmino_run": SUMMARY_VERSION,
        "dolmino": __version__,
        "complete": complete,
        "source": template.source,
        "licence": template.licence,
        "reference": template.reference,
        "recipe": recipe,
        "recipe_sha256": ledger.recipe_hash(recipe),
        "template_sha256": template.sha256,
        "shards": len(plan.shards),
        "input_bytes": sum(shard.bytes for shard in plan.shards),
        "counts": plan.counts,
        "asked": plan.account.recorded(),
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
