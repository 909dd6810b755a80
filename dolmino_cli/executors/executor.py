"""What every executor is: the same list of independent tasks, run on what the user has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from dolmino_cli.executors.counters import Counters
from dolmino_cli.shards.output import Output

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One list of tasks of a run, as an executor must know it.

    `name` is that of the phase, unique in its run; `name_of` gives a task's, unique in its phase and the same in every process
    that plans the run. `recorded` looks up the result of a task that another process finished (its ledger entry, say), or
    None; with `folder`, `<folder>/<name>.json` of the output is then there, so that one listing tells what is done instead of
    a look at each. A run that is divided among processes needs it: nothing but records passes between them. `gathered` says
    that the caller needs the results of all tasks, whoever did them, before it goes on; otherwise (the last phase of a run) a
    process may end when nothing is left for it to do, by LeftToOthers, and only one of them has all results.
    """

    name: str
    name_of: Callable[[Any], str] = str
    recorded: Callable[[Any], Any | None] | None = None
    folder: str = ""
    gathered: bool = True


class Elsewhere(Protocol):
    """Calls functions in other processes, which have what a worker's lacks: a GPU. Pickles, and any worker may use it."""

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(*arguments)`; all of them and the result must pickle. Raises what `function` raises, and RunFailed."""
        ...


class Executor(Protocol):
    """Runs tasks. Which one, and with how many workers, never changes a byte of what is written."""

    @property
    def workers(self) -> int:
        """How many tasks run at once at most: what a memory budget and the cutting into tasks go by."""
        ...

    @property
    def several_machines(self) -> bool:
        """May tasks run on other machines, or several processes direct the run? Files between phases: where all see them."""
        ...

    def claim(self, output: Output) -> AbstractContextManager[None]:
        """Keep other runs from writing to `output`, where this executor is the only one to do so. Raises RunFailed."""
        ...

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        phase: Phase,
        counters: Counters | None = None,
        preload: Sequence[str] = (),
    ) -> Iterator[tuple[Task, Result]]:
        """Yield (task, result) as tasks finish, in any order; `function`, tasks and results must pickle.

        `tasks` may be made as they are asked for, and may be gone through more than once. The first exception that
        `function` raises is raised here, after the running tasks ended. A DolminoError that it returns is a task's failure.
        `preload` are modules that workers will need. Raises LeftToOthers, see Phase.
        """
        ...


def elsewhere(executor: Executor) -> Elsewhere | None:
    """Where `executor` does what wants a GPU; None where its workers do everything themselves. Starts what is needed for it."""
    found: Elsewhere | None = getattr(executor, "elsewhere", None)
    return found
