"""A sweep: microanneals one after another, each as far as it comes, and a table of what they gave."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, DolminoError, RunFailed, StorageError
from dolmino_cli.executors.local import Local
from dolmino_cli.mix.for_training import open_mix
from dolmino_cli.mix.prepare import prepare
from dolmino_cli.mix.sampling import sample
from dolmino_cli.train import locks
from dolmino_cli.train.checkpoint_files import read_json_if_there
from dolmino_cli.train.checkpoint_folder import checkpoint_folder
from dolmino_cli.train.evaluation.metric_command import MetricCommand, last_json
from dolmino_cli.train.microanneals.anneal import Anneal, check_run_file, write_run_file
from dolmino_cli.train.microanneals.outcome import Outcome, outcome_of
from dolmino_cli.train.microanneals.steps import Done, run_logged
from dolmino_cli.train.soup.ingredient import open_ingredient
from dolmino_cli.train.whole_file import write_whole

RESULTS = "results.json"


@dataclass(frozen=True, kw_only=True)
class How:
    """How every microanneal of a sweep is made."""

    arrays: str | None = None
    launch: str | None = None
    """What starts the trainer: `torchrun --nproc-per-node 8`. None: one process."""
    workers: int = 1
    memory_bytes: int = 4 << 30
    """For sampling."""
    metric: MetricCommand | None = None
    tasks: tuple[str, ...] = ()
    """Of `dolmino eval`."""


def commands(anneal: Anneal, how: How) -> Iterator[str]:
    """What is run for one, as a shell takes it."""
    yield shlex.join(anneal.sample_command(how.arrays, workers=how.workers, memory_bytes=how.memory_bytes))
    yield shlex.join(anneal.train_command(how.launch))
    for task in how.tasks:
        yield shlex.join(anneal.eval_command(task))
    if how.metric is not None:
        yield shlex.join(how.metric.words_for(anneal.model / "model"))


def check_sweep(anneals: Sequence[Anneal]) -> None:
    """Raise ConfigError for what can be seen before anything is run."""
    names = [anneal.name for anneal in anneals]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"two plans are named {twice[0]}; a name is a folder, give each its own")
    for anneal in anneals:
        check_run_file(anneal)


def sweep(
    anneals: Sequence[Anneal], how: How, *, output: Path, say: Callable[[str], None]
) -> tuple[dict[str, Outcome], dict[str, str]]:
    """Make every microanneal; what each gave, and of those that failed why, by name.

    A step that is done, of the same inputs by hash, is not done again; one that was stopped goes on. `output/results.json` is
    rewritten after each. Raises ConfigError before anything is run, StorageError where the results cannot be written.
    """
    check_sweep(anneals)
    starts = {(anneal.run.checkpoint, anneal.run.revision) for anneal in anneals}
    identities = {start: _identity(*start) for start in starts}
    outcomes: dict[str, Outcome] = {}
    failures: dict[str, str] = {}
    for number, anneal in enumerate(anneals, 1):
        say(f"{anneal.name} ({number} of {len(anneals)})")
        try:
            outcomes[anneal.name] = _make(anneal, how, identities[anneal.run.checkpoint, anneal.run.revision], say)
        except DolminoError as error:
            failures[anneal.name] = str(error)
            say(f"{anneal.name}: {error}")
        _write(output, outcomes, failures)
    return outcomes, failures


def _make(anneal: Anneal, how: How, start: object, say: Callable[[str], None]) -> Outcome:
    say(f"{anneal.name}: sampling")
    sampling = sample.How(executor=Local(workers=how.workers), memory_bytes=how.memory_bytes)
    sample.sample_prepared(prepare(anneal.plan, arrays_root=how.arrays), output=str(anneal.folder / "mix"), how=sampling)
    mix = open_mix(str(anneal.folder / "mix"))
    write_run_file(anneal)
    done = Done(anneal.folder)

    def train() -> dict[str, str]:
        say(f"{anneal.name}: training; {anneal.folder / 'train.log'} says how far it is")
        run_logged(anneal.train_command(how.launch), anneal.folder / "train.log")
        if not (anneal.model / "done.json").is_file():
            raise RunFailed("the training was stopped before its last step; run the same command to go on")
        return open_ingredient(str(anneal.model), checkpoint_folder(str(anneal.model))).hashes()

    weights = done.once("train", [anneal.run.decides(), mix.identity, start], train)
    scores: dict[str, float] = {}
    for task in how.tasks:
        words = anneal.eval_command(task)

        def evaluate(task: str = task, words: Sequence[str] = words) -> dict[str, float]:
            say(f"{anneal.name}: evaluating {task}")
            log = anneal.folder / f"eval-{task}.log"
            run_logged(words, log)
            return {f"{name} {key}": value for name, numbers in last_json(log).items() for key, value in numbers.items()}

        scores |= done.once(f"eval {task}", [words, weights], evaluate)
    if (metric := how.metric) is not None:

        def score() -> float:
            say(f"{anneal.name}: scoring")
            return metric.score(anneal.model / "model")

        scores["metric"] = done.once("metric", [dataclasses.asdict(metric), weights], score)
    return outcome_of(anneal.manifest, mix.lock, anneal.model / "metrics", scores)


def _identity(checkpoint: str | None, revision: str | None) -> object:
    """What the weights that runs start from are known by."""
    if checkpoint is None:
        return None
    # There in a checkpoint of a run of ours, whose id in it is made up anew each time.
    if state := read_json_if_there(Path(checkpoint).expanduser() / "state.json"):
        return state
    return open_ingredient(checkpoint, checkpoint_folder(checkpoint, revision)).hashes()


def _write(output: Path, outcomes: dict[str, Outcome], failures: dict[str, str]) -> None:
    """What is known of this sweep, and of others into the same folder."""
    path = output / RESULTS
    with _in_turn(output):
        found: dict[str, Any] = read_json_if_there(path) or {}
        found |= {name: dataclasses.asdict(outcome) for name, outcome in outcomes.items()}
        found |= {name: {"name": name, "failed": why} for name, why in failures.items()}
        write_whole(path, json.dumps(found, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def _in_turn(folder: Path) -> Iterator[None]:
    """Wait for other sweeps that are in such a block: of two that read, change and write, one would lose what it adds."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}") from None
    try:
        locks.take(held, wait=True)
        yield
    finally:
        os.close(held)
