"""What `dolmino eval` does after parsing: load the tasks, choose their items, evaluate, print and write the numbers."""

from __future__ import annotations

import json

from dolmino_cli.cli.console import remark, show
from dolmino_cli.errors import ConfigError
from dolmino_cli.report.evaluation import chosen_line, results_table
from dolmino_cli.train.checkpoint_folder import checkpoint_folder, local_output
from dolmino_cli.train.evaluation.harness import Harness
from dolmino_cli.train.evaluation.request import EvalRequest
from dolmino_cli.train.evaluation.results import record_look, result_name, weights_sha256, write_results
from dolmino_cli.train.soup.ingredient import open_ingredient


def run_eval(request: EvalRequest, *, json_line: bool, dry_run: bool) -> None:
    """Evaluate and print the table. Raises DolminoError."""
    folder = checkpoint_folder(request.checkpoint, request.revision)
    opened = open_ingredient(request.checkpoint, folder)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise ConfigError(
            f"{request.checkpoint} has no tokenizer; copy tokenizer.json of the checkpoint that it was trained from into {folder}"
        )
    harness = Harness(request.asked())
    for task, chosen in harness.chosen.items():
        remark(chosen_line(task, chosen))
    if dry_run:
        show("nothing was evaluated")
        return
    files = opened.hashes()
    output = local_output(request.output) if request.output is not None else None
    if request.final and output is not None:
        looks = record_look(output, checkpoint=request.checkpoint, weights=weights_sha256(files), tasks=request.tasks)
        remark(f"held-out items are asked; recorded as evaluation {looks:,} of them in {output}")
    results = harness.evaluate(folder, batch_size=request.batch_size, device=request.device)
    show(results_table(results))
    if request.limit is not None:
        show(f"warning: the first {request.limit:,} items of each task only: a trial, no result")
    if output is not None:
        path = output / result_name(
            request.tasks, weights_sha256(files), final=request.final, shots=request.shots, limit=request.limit
        )
        write_results(path, results, checkpoint=request.checkpoint, files=files, asked=request.decides())
        show(f"written to {path}")
    if json_line:
        show(
            json.dumps(
                {
                    _called(result.task, request.tasks): {score.metric: score.value for score in result.scores}
                    for result in results
                }
            )
        )


def _called(task: str, tasks: tuple[str, ...]) -> str:
    """The task by the name that it was asked for."""
    return f"{task}-star" if f"{task}-star" in tasks else task
