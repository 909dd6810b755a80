"""Killed again and again against a server that misbehaves: every record rewritten once, and no stored answer paid for twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.executors.processes import wait_until
from tests.sources.rewriting.chat_server import OK, TROUBLES, ChatServer, misbehaving
from tests.sources.rewriting.make import documents_of, stored_digests, write_documents, write_template

ROOT = Path(__file__).resolve().parents[3]
RECORDS, SHARDS, KILLS, CONCURRENCY = 2000, 4, 5, 32
# What is slow takes as long as the client waits: a time that no busy machine keeps an answer back for. So there are few of it.
CLIENT_SECONDS = 5
MIXED_TROUBLES = [trouble for trouble in TROUBLES if trouble != "slow"] * 6 + ["slow"]


def start(inputs: Path, template: Path, output: Path, url: str) -> subprocess.Popen[str]:
    options = ["--endpoint", url, "-c", str(CONCURRENCY), "--timeout", str(CLIENT_SECONDS)]
    options += ["--input-price", "1", "--output-price", "2"]
    command = [sys.executable, "-m", "dolmino_cli.cli.main", "rewrite", str(template), str(inputs), "-o", str(output), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_2000_records_killed_five_times(tmp_path: Path) -> None:
    template, output = write_template(tmp_path / "say-again.yaml"), tmp_path / "out"
    for number in range(SHARDS):
        count = RECORDS // SHARDS
        inputs = write_documents(tmp_path / "in" / f"{number}.jsonl", count, first=number * count).parent
    chooser = random.Random(4)
    kill_at = sorted(chooser.sample(range(RECORDS // 10, RECORDS - RECORDS // 10), KILLS))
    kills: list[tuple[int, set[str]]] = []  # where the server's log stood, and which answers were on the disk
    most = RECORDS  # answers that are given for now: a run is not done before it is killed, however late that is
    with ChatServer(behave=misbehaving(4, troubles=MIXED_TROUBLES), held=lambda: len(server.usages) > most) as server:
        for answered in kill_at:
            most = answered + CONCURRENCY
            process = start(inputs, template, output, server.url)
            while len(server.answered) < answered:
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.005)
            time.sleep(chooser.random() / 20)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            kills.append((len(server.log), set(stored_digests(output / "journal"))))
            assert 0 < len(kills[-1][1]) < RECORDS
            most = RECORDS
            wait_until(lambda: not server.under_way)
        process = start(inputs, template, output, server.url)
        report, _ = process.communicate(timeout=300)
    assert process.returncode == 0, report
    check_documents(output)
    check_requests(server, kills, output)
    check_account(server, output, report)


def check_documents(output: Path) -> None:
    """Every record is rewritten once, in its place."""
    documents = documents_of(output)
    ids = [f"d{i}/say-again" for i in range(RECORDS)]
    assert [document["id"] for document in documents] == ids
    requests = {document["metadata"]["rewrites"][0]["request_sha256"]: document["text"] for document in documents}
    assert all(text.startswith(f"Answer {digest[:12]} to: ") for digest, text in requests.items())
    assert json.loads((output / "run.json").read_text())["counts"] | {"dropped": {}} == {
        "records": RECORDS,
        "in": RECORDS,
        "kept": RECORDS,
        "quarantined": 0,
        "dropped": {},
    }


def check_requests(server: ChatServer, kills: list[tuple[int, set[str]]], output: Path) -> None:
    """After its answer was on the disk, nothing was asked for again; what was lost at a kill was under way then."""
    for mark, stored in kills:
        assert not stored & {seen.digest for seen in server.log[mark:]}
    digests = stored_digests(output / "journal")
    assert len(digests) == len(set(digests)) == RECORDS
    answered_again = server.answered.total() - RECORDS
    assert 0 <= answered_again <= KILLS * CONCURRENCY
    assert server.most_under_way <= CONCURRENCY
    assert {seen.what for seen in server.log} == {OK, *TROUBLES}


def check_account(server: ChatServer, output: Path, report: str) -> None:
    """Tokens and cost are the sums of what the server stated for the answers that are stored."""
    usages = {digest: usage for digest, usage in server.usages.items() if server.answered[digest]}
    assert len(usages) == RECORDS
    prompt_tokens = sum(usage["prompt_tokens"] for usage in usages.values())
    completion_tokens = sum(usage["completion_tokens"] for usage in usages.values())
    asked = json.loads((output / "run.json").read_text())["asked"]
    assert (asked["answers"], asked["prompt_tokens"], asked["completion_tokens"]) == (RECORDS, prompt_tokens, completion_tokens)
    assert f"{prompt_tokens:,} prompt tokens + {completion_tokens:,} answer tokens, as the server states" in report
    assert f"cost: {(prompt_tokens + 2 * completion_tokens) / 1e6:,.4f}" in report
    assert f"up to {KILLS * CONCURRENCY} requests under way when {KILLS} runs were killed" in report
