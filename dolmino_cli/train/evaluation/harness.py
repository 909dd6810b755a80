"""Tasks of EleutherAI's lm-evaluation-harness on one checkpoint, held-out items of GSM8K left out of all of them.

Its numbers are those of its prompts: gsm8k is 5-shot, its answer looked for in two ways (strict-match, flexible-extract). They
compare with other numbers of the harness, not with those of OLMES, by which Ai2 reports.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, MissingExtra, RunFailed, StorageError, first_line
from dolmino_cli.train.evaluation.discipline import STAR_SUFFIX, Chosen, choose
from dolmino_cli.train.evaluation.interval import wilson
from dolmino_cli.train.evaluation.local_items import LocalItems

_GSM8K_TASKS = frozenset({"gsm8k", "gsm8k_cot", "gsm8k_cot_zeroshot", "gsm8k_cot_llama"})


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number of a task; `metric` is called as the harness calls it: exact_match,strict-match."""

    metric: str
    value: float
    stderr: float | None
    low: float | None
    high: float | None
    """The 95 % interval: Wilson's of a share of items, else 1.96 standard errors."""


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a task gave, or a group of tasks together."""

    task: str
    items: int
    chosen: Chosen | None
    """Which documents were asked; None for a group, whose tasks say it."""
    shots: int
    version: str
    scores: tuple[Score, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What to evaluate: names of the harness's tasks; with `-star` behind it, one of GSM8K on GSM* alone."""

    tasks: tuple[str, ...]
    final: bool = False
    """Ask what is held out, and only that, of tasks of GSM8K that are named without -star."""
    shots: int | None = None
    """Worked examples in the prompt; None: as the task says."""
    limit: int | None = None
    """The first so many of each task's items, for a trial."""
    items: LocalItems | None = None


class Harness:
    """The harness with its tasks loaded. Nothing is evaluated yet, and no model is loaded."""

    def __init__(self, asked: Asked) -> None:
        """Load the tasks and choose their items. Raises ConfigError for unknown tasks and held-out items."""
        self.asked = asked
        self._manager = _task_manager(asked.tasks)
        self._asked_as: list[Any] = []  # tasks and groups, as the harness takes them
        self.tasks: dict[str, Any] = {}
        self.chosen: dict[str, Chosen] = {}
        for name in asked.tasks:
            tasks, group = self._load(name.removesuffix(STAR_SUFFIX))
            self._asked_as += [group] if group is not None else list(tasks.values())
            for task, built in tasks.items():
                if task in self.tasks:
                    raise ConfigError(f"task {task} is asked for twice; evaluate {', '.join(asked.tasks)} one at a time")
                self.tasks[task] = built
                star = name.endswith(STAR_SUFFIX)
                self.chosen[task] = choose(task, list(built.eval_docs), star=star, final=asked.final, limit=asked.limit)
        if asked.final and not any(chosen.held_out for chosen in self.chosen.values()):
            raise ConfigError(f"--final is for items that are held out, and {', '.join(asked.tasks)} has none; leave it out")
        self._check_examples()

    def _load(self, name: str) -> tuple[dict[str, Any], Any]:
        """The tasks of a name, and the group that it is, if it is one."""
        spec: Any = name
        if self.asked.items is not None and name in _GSM8K_TASKS:
            # A group of one, whose members may replace parts of a task that the harness has.
            spec = {"group": "local", "task": [{"task": name, "custom_dataset": _dataset(self.asked.items)}]}
        try:
            loaded = self._manager.load([spec])
            return dict(loaded["tasks"]), loaded["groups"].get(name)
        except KeyError:
            raise ConfigError(f"lm-evaluation-harness has no task {name!r}; `lm-eval ls tasks` lists those that it has") from None
        except Exception as error:  # noqa: BLE001 — HTTP, offline mode, a data set's own code: all mean the same here.
            raise StorageError(
                f"the items of task {name!r} could not be had ({first_line(error)}); where the hub is out of reach, give GSM8K's"
                " with --items, or the cache of `datasets` with HF_HOME"
            ) from None

    def evaluate(
        self, checkpoint: Path, *, batch_size: str, device: str | None, options: Mapping[str, Any] | None = None
    ) -> list[TaskResult]:
        """Evaluate a checkpoint's folder. `options` are generation's, such as max_gen_toks. Raises RunFailed."""
        try:
            found = self._run(checkpoint, batch_size=batch_size, device=device, options=options)
        except Exception as error:
            # Out of memory, a window too short for the prompt, a model that transformers does not load: its own words say which.
            raise RunFailed(f"the evaluation of {checkpoint} failed: {first_line(error)}") from error
        assert found is not None
        return [self._result(task, found) for task in [*found.get("groups", {}), *self.tasks]]

    def _run(self, checkpoint: Path, *, batch_size: str, device: str | None, options: Mapping[str, Any] | None) -> Any:
        import torch
        from lm_eval import simple_evaluate

        return simple_evaluate(
            model="hf",
            model_args={"pretrained": str(checkpoint), "dtype": "auto", "trust_remote_code": False},
            tasks=self._asked_as,
            samples={task: list(chosen.places) for task, chosen in self.chosen.items()},
            num_fewshot=self.asked.shots,
            batch_size=batch_size,
            device=device or ("cuda" if torch.cuda.is_available() else "cpu"),  # its own default is cuda, there or not
            gen_kwargs=dict(options) if options else None,
            task_manager=self._manager,
            log_samples=False,
            bootstrap_iters=1000,  # only for metrics that are no means; those have their formula
        )

    def _check_examples(self) -> None:
        if self.asked.items is None:
            return
        for name, task in self.tasks.items():
            wanted = task.config.num_fewshot if self.asked.shots is None else self.asked.shots
            if name in _GSM8K_TASKS and wanted and task.config.fewshot_split and wanted > len(self.asked.items.examples):
                has = len(self.asked.items.examples)
                said = f"task {name} shows {wanted} worked examples and --examples has {has:,}"
                raise ConfigError(f"{said}; give GSM8K's train.jsonl, or --shots 0")

    def _result(self, task: str, found: Mapping[str, Any]) -> TaskResult:
        numbers: Mapping[str, Any] = found["results"][task]
        chosen = self.chosen.get(task)
        within = self.tasks if chosen is None else [task]  # only one group is a request with others beside it
        count = sum(len(self.chosen[name].places) for name in within)
        scores = []
        for metric, value in numbers.items():
            name, _, rest = metric.partition(",")
            if not isinstance(value, int | float) or name.endswith("_stderr") or name in {"sample_len", "alias"}:
                continue
            stderr = numbers.get(f"{name}_stderr,{rest}")
            scores.append(_score(metric, float(value), stderr, count if chosen is not None else None))
        return TaskResult(
            task=task,
            items=int(numbers.get("sample_len") or count),
            chosen=chosen,
            shots=int(found["n-shot"].get(task, 0)),
            version=str(found["versions"].get(task)),
            scores=tuple(scores),
        )


def _score(metric: str, value: float, stderr: Any, items: int | None) -> Score:
    error = float(stderr) if isinstance(stderr, int | float) else None
    if items is not None and 0 <= value <= 1 and abs(value * items - (right := round(value * items))) < 1e-6:
        low, high = wilson(right, items)
        return Score(metric=metric, value=value, stderr=(value * (1 - value) / items) ** 0.5, low=low, high=high)
    if error is None:
        return Score(metric=metric, value=value, stderr=None, low=None, high=None)
    return Score(metric=metric, value=value, stderr=error, low=value - 1.96 * error, high=value + 1.96 * error)


def _task_manager(tasks: Sequence[str]) -> Any:
    try:
        import lm_eval.tasks
    except ImportError:
        raise MissingExtra("lm-eval", extra="eval", needed_for="dolmino eval") from None
    if importlib.util.find_spec("accelerate") is None:  # which it imports when a model is loaded
        raise MissingExtra("accelerate", extra="eval", needed_for="dolmino eval")
    if {task.removesuffix(STAR_SUFFIX) for task in tasks} <= _GSM8K_TASKS:
        # To read the YAML of its 14,000 other tasks takes 18 s.
        folder = Path(lm_eval.tasks.__file__).parent / "gsm8k"
        return lm_eval.tasks.TaskManager(include_path=str(folder), include_defaults=False)
    return lm_eval.tasks.TaskManager()


def _dataset(items: LocalItems) -> Callable[..., Any]:
    def make(**_: Any) -> Any:
        from datasets import Dataset, DatasetDict

        # `datasets` caches by content below HF_HOME when it reads a file; rows given as they are stay in memory.
        return DatasetDict({"test": Dataset.from_list(list(items.test)), "train": Dataset.from_list(list(items.examples))})

    return make


def harness_versions() -> dict[str, str]:
    """What numbers depend on besides the checkpoint."""
    from importlib.metadata import version

    return {name: version(name) for name in ("lm-eval", "transformers", "torch")}
