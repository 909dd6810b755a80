"""All documents of a mix in its order, without their tokens: read, chosen, sorted, cut into parts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.mix.plan import MixPlan
from dolmino_cli.mix.reading import SourceFile, read_documents
from dolmino_cli.mix.sampling import PRELOAD
from dolmino_cli.mix.sampling.choose import Chosen, Survey, Watch, choose_and_keep, unwatched
from dolmino_cli.mix.sampling.gather import Slice, part_count, slices_of
from dolmino_cli.mix.sampling.memory import Budget
from dolmino_cli.mix.sampling.order import OrderTask, groups, order
from dolmino_cli.mix.sampling.records import agreed, recall
from dolmino_cli.mix.sampling.runs import Run
from dolmino_cli.mix.sampling.select import Selection
from dolmino_cli.mix.sampling.survey import Reader


@dataclass(frozen=True, kw_only=True)
class MixedRows:
    """What was chosen, and where the rows of every part lie in scratch."""

    selections: dict[str, Selection]
    runs: tuple[Run, ...]
    """In the order of source name, copy and file."""
    token_files: tuple[Path, ...]
    """Where the tokens of each of the mix's files are read from, by `Run` column `file`."""
    part_count: int
    tokens: int

    def parts(self, sources: Sequence[str]) -> Iterator[tuple[int, tuple[Slice, ...]]]:
        """(part, its slices of the runs), without the parts that no document falls into; `sources` in the manifest's order."""
        for part in range(self.part_count):
            if slices := slices_of(self.runs, part, sources):
                yield part, slices


def mix_rows(
    plan: MixPlan,
    files: Sequence[SourceFile],
    *,
    seed: int,
    tokens_per_file: int,
    scratch: Path,
    budget: Budget,
    executor: Executor,
    copy_sources: bool = False,
    reader: Reader = read_documents,
    check_tokens: bool = True,
    watch: Watch = unwatched,
) -> MixedRows:
    """Read the indexes of `files` (in the order of source name and file), choose, and sort. Raises DataError, StorageError.

    ConfigError when the documents turn out to be so short that those of a part do not fit into `budget`.
    """
    sparse = agreed(scratch, "sparse.json", sorted(_too_sparse(plan, files)))
    copied = frozenset(file.path for file in files if file.is_remote or copy_sources) | frozenset(sparse)
    how = Survey(
        seed=seed, scratch=scratch, table_bytes=budget.table_bytes, check_tokens=check_tokens, copied=copied, reader=reader
    )
    chosen = choose_and_keep(plan, files, how, executor, watch=watch)
    tokens, documents = (sum(getattr(taken, name) for taken in chosen.selections.values()) for name in ("tokens", "documents"))
    kept = [table for tables in chosen.tables.values() for table in tables]
    row_bytes = sum(table.bytes for table in kept) / max(1, sum(table.documents for table in kept))
    budget.check_part(min(tokens, tokens_per_file), documents / tokens, row_bytes)
    parts = part_count(tokens, tokens_per_file)
    tasks = _order_tasks(chosen, seed=seed, parts=parts, scratch=scratch, budget=budget)
    runs = _order(tasks, executor, documents=documents, watch=watch)
    assert sum(run.tokens for run in runs) == tokens, "the tokens ordered are not those chosen"
    assert sum(run.documents for run in runs) == documents, "the documents ordered are not those chosen"
    read_from = {table.place: table.tokens for table in kept}
    token_files = tuple(read_from.get(place, Path(file.path)) for place, file in enumerate(files))
    return MixedRows(selections=chosen.selections, runs=runs, token_files=token_files, part_count=parts, tokens=tokens)


def _too_sparse(plan: MixPlan, files: Sequence[SourceFile]) -> frozenset[str]:
    """Files of which little is taken, where all together are too large to stay in the system's file cache.

    They are read from front to back once, to check them; copying what is taken on the way saves reading it again from a disk,
    here and there.
    """
    if sum(file.array.bytes for file in files) < _memory_of_the_machine() // 2:
        return frozenset()
    tokens: dict[str, int] = {}
    for file in files:
        tokens[file.source] = tokens.get(file.source, 0) + file.array.tokens
    sparse = {source.name for source in plan.sources if source.tokens < tokens[source.name] // 2}
    return frozenset(file.path for file in files if file.source in sparse)


def _memory_of_the_machine() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _order_tasks(chosen: Chosen, *, seed: int, parts: int, scratch: Path, budget: Budget) -> list[OrderTask]:
    grouped = [(source, group) for source in sorted(chosen.tables) for group in groups(chosen.tables[source], budget.table_bytes)]
    return [
        OrderTask(tables=group, selection=chosen.selections[source], seed=seed, parts=parts, path=scratch / f"{number:06d}.runs")
        for number, (source, group) in enumerate(grouped)
    ]


def _order(tasks: Sequence[OrderTask], executor: Executor, *, documents: int, watch: Watch) -> tuple[Run, ...]:
    runs: list[Run] = []
    done = 0
    with watch("sort", documents, "documents") as say:
        say(0, "")
        phase = Phase(name="order", name_of=lambda task: task.path.stem, recorded=lambda task: recall(task.record))
        for _, sorted_runs in attempt_all(executor, order, tasks, what="groups of tables", phase=phase, preload=PRELOAD):
            runs += sorted_runs
            done += sum(run.documents for run in sorted_runs)
            say(done, f"{len(runs):,} runs")
    return tuple(sorted(runs, key=lambda run: (run.source, run.copy, run.path)))
