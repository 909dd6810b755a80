"""A join is the same from any executor, and from several processes that do it together."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.executors.executor import Executor
from dolmino_cli.executors.local import Local
from dolmino_cli.sources.stackexchange import tasks
from dolmino_cli.sources.stackexchange.join import finish, join, join_shards, plan_join, split_dumps
from tests.executors.hostile import Hostile, OneOfSeveral
from tests.executors.shares import at_once
from tests.pipeline.make import tree
from tests.s3_server import S3Server
from tests.sources.stackexchange.make import answer, posts, question, write


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Three sites, one of them of several shards, and what one process makes of them."""
    for site, count, step in (("a.com", 40, 300), ("b.com", 1500, 401), ("c.com", 0, 1)):
        pairs = ((question(n, accepts=n + 1), answer(n + 1, to=n)) for n in range(1, count * step, 2 * step))
        write(tmp_path / "in", site, posts(row for pair in pairs for row in pair))
    join([str(tmp_path / "in")], output=str(tmp_path / "one"))
    assert len(list((tmp_path / "one/documents/b.com").iterdir())) == 2
    return tmp_path


def run(made: Path, output: str, executor: Executor, **options: Any) -> dict[str, Any]:
    plan = plan_join([str(made / "in")], output=str(made / output), **options)
    for _ in split_dumps(plan, executor):
        pass
    for _ in join_shards(plan, executor):
        pass
    return finish(plan)


def counts(made: Path) -> dict[str, Any]:
    return finish(plan_join([str(made / "in")], output=str(made / "one")))


@pytest.mark.parametrize("executor", [Local(workers=2), Hostile(seed=1), Hostile(seed=2)], ids=["two", "hostile", "again"])
def test_any_executor_gives_the_same(made: Path, executor: Executor) -> None:
    assert run(made, "out", executor, scratch=str(made / "scratch")) == counts(made)
    assert tree(made / "out") == tree(made / "one")
    assert list((made / "scratch").iterdir()) == []


def test_several_processes_join_together(made: Path) -> None:
    assert at_once(*(partial(one_of_several, made, number) for number in range(3))) == [counts(made)] * 3
    assert tree(made / "together") == tree(made / "one")
    assert not (made / "together/.scratch").exists()


def one_of_several(made: Path, number: int) -> dict[str, Any]:
    return run(made, "together", OneOfSeveral(output=str(made / "together"), seed=number))


def test_a_process_that_another_one_overtook_takes_what_it_made(made: Path) -> None:
    late = plan_join([str(made / "in")], output=str(made / "out"))
    run(made, "out", Local())
    executor = OneOfSeveral(output=str(made / "out"), seed=0)
    assert [dump.site for dump in split_dumps(late, executor)] != []
    assert (late.to_split, late.to_join) == ([], [])
    assert list(join_shards(late, executor)) == []
    assert finish(late) == counts(made)
    assert tree(made / "out") == tree(made / "one")


def test_a_shard_is_not_written_from_partitions_that_are_being_removed(made: Path) -> None:
    """Another process is done with the dump; without its mark, a partition that is not there would be taken for an empty one."""
    plan = plan_join([str(made / "in")], output=str(made / "out"))
    for _ in split_dumps(plan, Local()):
        pass
    (first, *_) = [task for task in plan.to_join if task.dump.site == "b.com"]
    folder = plan.job.folder(first.dump)
    (folder / "split.json").unlink()
    for path in folder.glob("answers-*"):
        path.unlink()
    with pytest.raises(StorageError, match="was removed while it was read"):
        tasks.join_shard(first)
    assert not (made / "out/documents/b.com").exists() or not list((made / "out/documents/b.com").iterdir())
    shutil.copytree(made / "one/ledger", made / "out/ledger", dirs_exist_ok=True)
    assert tasks.join_shard(first).name == first.name


def test_on_several_machines_scratch_must_be_where_all_see_it(made: Path, s3: S3Server) -> None:
    plan = plan_join([str(made / "in")], output=s3.uri("joined"))
    with pytest.raises(ConfigError, match=r"is on S3: say where .*: --scratch DIR, a folder on a shared disk"):
        next(split_dumps(plan, Hostile(seed=0)))
