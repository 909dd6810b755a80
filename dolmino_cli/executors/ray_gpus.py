"""Workers of a Ray cluster that have a GPU each, and do for all the others what wants one."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dolmino_cli.errors import RunFailed, first_line
from dolmino_cli.executors.failures import MOST_DEATHS
from dolmino_cli.executors.ray_cluster import check_started, import_ray
from dolmino_cli.executors.ray_pool import WARN_AFTER_SECONDS, start
from dolmino_cli.executors.ray_worker import Driver, Outcome

log = logging.getLogger(__name__)

_RESTARTS = 1000  # of a node that comes and goes, over days


@dataclass(frozen=True, kw_only=True)
class RayGpus:
    """Calls functions on workers that have a GPU. Pickles, and is used from the processes of other workers."""

    actors: Sequence[Any]

    @staticmethod
    def start(count: int) -> RayGpus:
        """As many workers with one GPU each; they begin as soon as the cluster has room for them."""
        # What they are given changes nothing but their answer, so that Ray itself may give it again after a death.
        resources = {"CPU": 1.0, "GPU": 1.0, "memory": 0.0}
        actors = [start(Driver.here(), resources, restarts=_RESTARTS, tries=MOST_DEATHS - 1) for _ in range(count)]
        return RayGpus(actors=actors)

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(*arguments)`, done elsewhere. Raises what it raises, and RunFailed where its workers die of it."""
        ray = import_ray()
        global _turn
        _turn += 1
        # Processes begin at different workers, and then take turns: each worker has the same number of callers waiting.
        actor = self.actors[(os.getpid() + _turn) % len(self.actors)]
        try:
            outcome: Outcome = ray.get(actor.run.remote(0, function, *arguments))
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError as error:
            raise RunFailed(f"a Ray worker with a GPU died {MOST_DEATHS} times of one batch ({first_line(error)})") from None
        if outcome.error is not None:
            raise outcome.error
        return outcome.result

    def check(self) -> None:
        """Wait for the first of them. Raises RunFailed for one of another version."""
        ray = import_ray()
        starting = [actor.start.remote() for actor in self.actors]
        first, _ = ray.wait(starting, num_returns=1, timeout=WARN_AFTER_SECONDS)
        if not first:
            log.warning("still waiting for a Ray node with a GPU; the cluster has GPU %g", ray.cluster_resources().get("GPU", 0))
            first, _ = ray.wait(starting, num_returns=1)
        check_started(ray.get(first[0]), "")

    def end(self) -> None:
        """End them."""
        ray = import_ray()
        for actor in self.actors:
            ray.kill(actor)


_turn = 0
