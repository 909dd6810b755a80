"""A rewrite by several processes writes what one does, and asks for no answer again that is in a journal."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from dolmino_cli.executors.executor import Executor
from dolmino_cli.executors.local import Local
from dolmino_cli.sources.rewriting.endpoint import Endpoint
from dolmino_cli.sources.rewriting.run import Plan, finish, plan_rewrite
from dolmino_cli.sources.rewriting.shares import ask_shares
from dolmino_cli.sources.rewriting.template import load_template
from tests.executors.hostile import Hostile, OneOfSeveral
from tests.executors.shares import at_once
from tests.pipeline.make import read_json
from tests.sources.rewriting.chat_server import ChatServer
from tests.sources.rewriting.make import Rewrite, stored_digests, write_documents

SHARDS, DOCUMENTS = 4, 20


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    for number in range(SHARDS):
        write_documents(tmp_path / "in" / f"{number}.jsonl", DOCUMENTS, first=number * DOCUMENTS)
    (tmp_path / "in" / "a.jsonl").unlink(missing_ok=True)
    return tmp_path


def planned(folder: Path, output: str) -> Plan:
    template = load_template(str(folder / "say-again.yaml"))
    return plan_rewrite(
        [str(folder / "in")], template=template, output=str(folder / output), journal=None, copies=1, on_error="fail"
    )


def ask(folder: Path, output: str, url: str, executor: Executor) -> None:
    plan = planned(folder, output)
    endpoint = Endpoint(url=url, concurrency=4, timeout_seconds=60.0, tries=3)
    for _ in ask_shares(plan, endpoint, executor):
        pass
    finish(plan)


def results(output: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(output)): path.read_bytes()
        for kind in ("documents", "attributes")
        for path in sorted((output / kind).rglob("*"))
    }


@pytest.mark.parametrize("executor", [Local(workers=2), Hostile(seed=3)], ids=["two", "hostile"])
def test_any_executor_gives_the_same(rewrite: Rewrite, server: ChatServer, inputs: Path, executor: Executor) -> None:
    assert rewrite(output=inputs / "one").code == 0
    ask(inputs, "out", server.url, executor)
    assert len(results(inputs / "one")) == 2 * SHARDS
    assert results(inputs / "out") == results(inputs / "one")
    digests = stored_digests(inputs / "out/journal")
    assert len(digests) == len(set(digests)) == SHARDS * DOCUMENTS


def test_several_processes_share_the_shards_and_ask_nothing_twice(rewrite: Rewrite, server: ChatServer, inputs: Path) -> None:
    assert rewrite(output=inputs / "one").code == 0
    server.log.clear()
    server.most_under_way = 0
    at_once(*(partial(one_of_several, inputs, server.url, number) for number in range(3)))
    assert results(inputs / "together") == results(inputs / "one")
    assert len(server.log) == SHARDS * DOCUMENTS
    assert server.most_under_way <= 3 * 4
    together, alone = (read_json(inputs / name / "run.json") for name in ("together", "one"))
    assert (together["complete"], together["counts"]) == (True, alone["counts"])


def one_of_several(folder: Path, url: str, number: int) -> None:
    ask(folder, "together", url, OneOfSeveral(output=str(folder / "together"), seed=number))


def test_a_shard_goes_on_from_the_journal_that_a_killed_process_left(rewrite: Rewrite, server: ChatServer, inputs: Path) -> None:
    assert rewrite(output=inputs / "one").code == 0
    (inputs / "one/ledger/3.jsonl.json").unlink()
    journal = inputs / "one/journal/3.jsonl.answers"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:11]) + lines[11][:9])  # ten answers, and half of one
    before, asked = results(inputs / "one"), len(server.log)
    ask(inputs, "one", server.url, Local(workers=2))
    assert len(server.log) - asked == DOCUMENTS - 10
    assert results(inputs / "one") == before


def test_the_command_takes_workers(rewrite: Rewrite, server: ChatServer, inputs: Path) -> None:
    assert rewrite(output=inputs / "one").code == 0
    done = rewrite("-w", "2", "-c", "3", output=inputs / "two")
    assert (done.code, f"{SHARDS * DOCUMENTS} documents + 0 dropped + 0 quarantined" in done.out) == (0, True)
    assert results(inputs / "two") == results(inputs / "one")
