"""In what order shards are done, and which are given to several workers: no run waits long for its largest shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dolmino_cli.pipeline.task import ShardTask
from dolmino_cli.shards.parts import estimated_parts


def with_help(tasks: Sequence[ShardTask], workers: int) -> list[ShardTask]:
    """The tasks, those of shards of several parts first, the largest foremost; and behind all, tasks that help with some.

    When a run comes to its end, what is still being done is the largest shards or the last to be begun: of each kind, as many
    as there are workers get help, from as many tasks as can be of use. Scores of an earlier run are taken in order, so that
    shards that are decided from them are done by one worker.
    """
    parts = [estimated_parts(task.shard, task.options.part_bytes) for task in tasks]
    large = sorted((i for i in range(len(tasks)) if parts[i] > 1), key=lambda i: (-tasks[i].shard.bytes, i))
    helped = dict.fromkeys([*large[:workers], *large[-workers:]]) if workers > 1 else {}
    helpers = {i: 0 if tasks[i].options.scores else min(workers, parts[i]) - 1 for i in helped}
    first = [*large, *(i for i in range(len(tasks)) if parts[i] == 1)]
    rounds = range(max(helpers.values(), default=0))
    return [
        *(replace(tasks[i], helpers=helpers.get(i, 0)) for i in first),
        *(replace(tasks[i], helpers=helpers[i], helps=True) for one in rounds for i in helped if one < helpers[i]),
    ]
