"""`dolmino rewrite` against a real server: what is written, what is refused, what a rerun does."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dolmino_cli.cli import run_rewrite
from dolmino_cli.sources.rewriting.run import Plan, plan_rewrite
from tests.executors.processes import wait_until
from tests.executors.shares import end, start
from tests.s3_server import S3Server
from tests.sources.rewriting import chat_server
from tests.sources.rewriting.chat_server import ChatServer, misbehaving
from tests.sources.rewriting.make import KEY, Rewrite, documents_of, number_of, stored_digests, write_documents, write_template


def test_documents_carry_where_they_come_from(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    assert rewrite("--model", "other").code == 0
    documents = documents_of(tmp_path / "out")
    assert [document["id"] for document in documents] == [f"d{i}/say-again" for i in range(20)]
    first = documents[0]
    request = server.bodies[first["metadata"]["rewrites"][0]["request_sha256"]]
    assert request == {
        "model": "other",
        "max_tokens": 64,
        "temperature": 0.7,
        "messages": [{"role": "user", "content": "Say again: There are 0 apples"}],
        "seed": first["metadata"]["rewrites"][0]["sampling"]["seed"],
    }
    digest = hashlib.sha256(json.dumps(request, separators=(",", ":")).encode()).hexdigest()
    assert first["text"] == f"Answer {digest[:12]} to: apples"
    assert first["metadata"]["n"] == 0
    done = first["metadata"]["rewrites"][0]
    assert done | {"template_sha256": "", "sampling": {}, "completion_tokens": 0} == {
        "source_id": "d0",
        "template": "say-again",
        "template_sha256": "",
        "prompt_sha256": hashlib.sha256(b"Say again: There are 0 apples").hexdigest(),
        "request_sha256": digest,
        "model": "other",
        "served_model": "served-other",
        "sampling": {},
        "copy": 0,
        "prompt_tokens": 6,
        "completion_tokens": 0,
    }
    assert {name: done["sampling"][name] for name in ("max_tokens", "temperature", "top_p", "stop")} == {
        "max_tokens": 64,
        "temperature": 0.7,
        "top_p": None,
        "stop": [],
    }


def test_same_bytes_at_any_concurrency_and_with_any_trouble(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    assert rewrite("-c", "1", output=tmp_path / "one").code == 0
    server.behave, server.times = misbehaving(1, troubles=("429", "500", "cut", "close", "garbage")), server.times.__class__()
    assert rewrite("-c", "16", output=tmp_path / "many").code == 0
    assert {seen.what for seen in server.log} > {"ok", "500"} and server.most_under_way <= 16
    for name in ("documents/a.jsonl.zst", "attributes/a.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


def test_the_bound_is_reached_and_held(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    write_documents(tmp_path / "in" / "a.jsonl", 60)
    server.seconds, server.held = 0.15, lambda: server.most_under_way < 12
    server.behave = lambda body, times: "500" if number_of(json.loads(body)) % 7 == 0 and not times else "ok"
    assert rewrite("-c", "12").code == 0
    assert server.most_under_way == 12


def test_answers_that_are_not_used_are_counted_by_reason(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    replies: dict[int, dict[str, Any]] = {
        1: {"finish_reason": "length"},
        2: {"content": " "},
        3: {"finish_reason": "content_filter"},
    }
    server.reply = lambda request: replies.get(number_of(request), {})
    server.behave = lambda body, _: "400 maximum context length is 9 tokens" if number_of(json.loads(body)) == 4 else "ok"
    done = rewrite()
    assert (done.code, "20 asked for = 16 documents + 4 dropped + 0 quarantined" in done.out) == (0, True)
    rows = pq.read_table(tmp_path / "out" / "attributes" / "a.parquet").to_pylist()
    reasons = [row["reason"] for row in rows]
    assert reasons == [None, "cut_off", "empty", "refused", "too_long", *[None] * 15]
    assert [row["id"] for row in rows if row["kept"]] == [document["id"] for document in documents_of(tmp_path / "out")]
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["asked"]["completion_tokens"] == sum(usage["completion_tokens"] for usage in server.usages.values())
    assert (run["asked"]["answers"], run["asked"]["refusals"], run["complete"]) == (19, 1, True)


def test_copies_have_their_own_seeds_and_ids(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    assert rewrite("--copies", "3").code == 0
    documents = documents_of(tmp_path / "out")
    assert [document["id"] for document in documents[:4]] == [f"d{i}/say-again/{k}" for i, k in ((0, 0), (0, 1), (0, 2), (1, 0))]
    assert len({document["metadata"]["rewrites"][0]["sampling"]["seed"] for document in documents}) == 60


def test_labels_go_into_metadata_and_rewrites_are_listed_in_order(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    write_template(tmp_path / "label.yaml", name="label", into="metadata.label", accept="{allowed: [math, other]}")
    metadata = {"rewrites": [{"template": "earlier"}], "persona": "a baker {text}"}
    write_documents(tmp_path / "in" / "a.jsonl", 3, **metadata)
    server.reply = lambda request: {"content": {0: "Math.", 1: "other", 2: "both"}[number_of(request)]}
    assert rewrite(template="label.yaml").code == 0
    documents = documents_of(tmp_path / "out")
    assert [(one["id"], one["text"], one["metadata"]["label"]) for one in documents] == [
        ("d0", "There are 0 apples", "math"),
        ("d1", "There are 1 apples", "other"),
    ]
    assert [done["template"] for done in documents[0]["metadata"]["rewrites"]] == ["earlier", "label"]
    assert rewrite("--copies", "2", template="label.yaml").code == 2


def test_rows_of_publishers_and_fields_of_metadata(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.jsonl").write_text('{"persona": "a baker"}\n{"persona": "a nurse"}\n')
    prompt = '"{metadata.persona} asks {text}"'
    write_template(tmp_path / "ask.yaml", name="ask", rows="[{text: [persona]}]", prompt=prompt, document='"{text}: {answer}"')
    assert rewrite(template="ask.yaml").code == 0
    assert [document["text"].partition(": Answer")[0] for document in documents_of(tmp_path / "out")] == ["a baker", "a nurse"]
    assert {body["messages"][0]["content"] for body in server.bodies.values()} == {"a baker asks a baker", "a nurse asks a nurse"}


def test_a_document_without_the_field_costs_nothing(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    write_template(tmp_path / "ask.yaml", name="ask", prompt='"{metadata.persona} asks"')
    lines = [{"id": "a", "text": "x", "metadata": {"persona": "p"}}, {"id": "b", "text": "y", "metadata": {"persona": ["q"]}}]
    (tmp_path / "in" / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    failed = rewrite(template="ask.yaml")
    assert (failed.code, server.log) == (1, [])
    assert failed.error.endswith(
        "a.jsonl:2: document 'b': the template needs metadata.persona, which is list, not text or a number"
    )
    done = rewrite("--error", "quarantine", template="ask.yaml")
    assert "2 asked for = 1 documents + 0 dropped + 1 quarantined" in done.out
    (aside,) = pq.read_table(tmp_path / "out" / "quarantine" / "a.jsonl.parquet").to_pylist()
    assert (aside["line"], json.loads(aside["record"])) == (2, lines[1])


@pytest.mark.parametrize(
    ("status", "hint"), [("401 bad key " + KEY, "OPENAI_API_KEY"), ("404", "--endpoint"), ("302", "--endpoint")]
)
def test_an_endpoint_that_cannot_help_ends_the_run_at_once(
    rewrite: Rewrite, server: ChatServer, tmp_path: Path, status: str, hint: str
) -> None:
    server.behave = lambda _body, _times: status
    failed = rewrite("-c", "4")
    assert failed.code == 1 and f"answers {status[:3]}" in failed.error and hint in failed.error
    assert len(server.log) <= 4
    server.behave = lambda _body, _times: "ok"
    assert rewrite().code == 0
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert KEY.encode() not in everything and KEY not in failed.err
    assert all(f"authorization: Bearer {KEY}".lower() in head.lower() for head in server.headers)


def test_a_bad_request_stops_or_is_set_aside(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    server.behave = lambda body, _: f"400 no {KEY}" if number_of(json.loads(body)) == 7 else "ok"
    failed = rewrite()
    assert failed.code == 1 and "line 8: the endpoint refuses the request (400: no [key])" in failed.error
    done = rewrite("--error", "quarantine", output=tmp_path / "aside")
    assert "20 asked for = 19 documents + 0 dropped + 1 quarantined" in done.out
    (aside,) = pq.read_table(tmp_path / "aside" / "quarantine" / "a.jsonl.parquet").to_pylist()
    assert (aside["line"], aside["reason"]) == (8, "400: no [key]")


def test_what_got_no_answer_is_left_for_a_rerun(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    server.behave = lambda body, _: "500" if number_of(json.loads(body)) in (3, 11) else "ok"
    failed = rewrite("--tries", "2")
    assert failed.error.startswith("2 requests got no answer in 2 tries each (last: http 500); 2 of 20 are left")
    assert failed.code == 1 and not (tmp_path / "out" / "documents").exists()
    assert "22 requests = 18 answered + 0 refused + 4 retried" in failed.out
    server.behave = lambda _body, _times: "ok"
    mark = len(server.log)
    assert rewrite("--tries", "2").code == 0
    assert (len(server.log) - mark, len(documents_of(tmp_path / "out"))) == (2, 20)


def test_only_long_prompts_left_are_no_sign_of_a_wrong_request(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    server.behave = lambda body, times: "ok" if number_of(json.loads(body)) < 5 else "400 context length" if times else "500"
    assert rewrite("--tries", "1", "-c", "20").code == 1
    done = rewrite("-c", "4")
    assert (done.code, "20 asked for = 5 documents + 15 dropped + 0 quarantined" in done.out) == (0, True)
    server.behave = lambda _body, _times: "400 context length"
    failed = rewrite("-c", "4", output=tmp_path / "other")
    assert failed.code == 1 and "4 requests one after the other got no answer (last: 400: context length)" in failed.error


def test_an_endpoint_that_is_down_is_not_asked_for_every_document(rewrite: Rewrite, server: ChatServer) -> None:
    server.behave = lambda _body, _times: "503"
    failed = rewrite("--tries", "1", "-c", "4")
    assert failed.code == 1 and failed.error.startswith("4 requests one after the other got no answer (last: http 503)")
    assert len(server.log) < 20


def test_retry_after_is_honoured(rewrite: Rewrite, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(chat_server.HEADERS, "429", "Retry-After: 1\r\n")
    server.behave = lambda body, times: "429" if number_of(json.loads(body)) == 0 and not times else "ok"
    started = time.monotonic()
    assert rewrite().code == 0
    assert time.monotonic() - started >= 1


def test_another_template_model_option_or_input_is_refused(rewrite: Rewrite, tmp_path: Path) -> None:
    assert rewrite().code == 0
    for option in (["--model", "other"], ["--copies", "2"], ["--error", "quarantine"]):
        refused = rewrite(*option)
        assert refused.code == 2 and " of another run: recipe." in refused.error
    write_template(tmp_path / "say-again.yaml", prompt='"Repeat: {text}"')
    assert 'recipe.template.prompt: "Say again: {text}" -> "Repeat: {text}"' in rewrite().error
    write_template(tmp_path / "say-again.yaml")
    write_documents(tmp_path / "in" / "a.jsonl", 21)
    assert "input.bytes" in rewrite().error


def test_a_journal_of_another_run_is_refused_before_any_shard_is_done(
    rewrite: Rewrite, server: ChatServer, tmp_path: Path
) -> None:
    server.behave = lambda body, _: "401" if number_of(json.loads(body)) == 19 else "ok"
    assert rewrite("-c", "1").code == 1
    assert len(stored_digests(tmp_path / "out" / "journal")) == 19
    refused = rewrite("--model", "other")
    assert refused.code == 2 and "the journal" in refused.error and 'recipe.template.model: "tiny" -> "other"' in refused.error


def test_a_dry_run_asks_and_writes_nothing(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    dry = rewrite("--dry-run", "--input-price", "1", "--output-price", "10")
    assert (dry.code, server.log, (tmp_path / "out").exists()) == (0, [], False)
    characters = sum(len(f"Say again: There are {i} apples") for i in range(20))
    assert f"20 requests to make, 0 answered already\nprompts: about {round(characters / 4.2)} tokens (4.2 bytes" in dry.out
    assert "answers: at most 1,280 tokens" in dry.out and "cost: at most 0.01" in dry.out
    server.behave = lambda body, _: "500" if number_of(json.loads(body)) >= 15 else "ok"
    rewrite("--tries", "1", "-c", "8")
    dry = rewrite("--dry-run")
    assert "5 requests to make, 15 answered already\nprompts: about 30 tokens (mean of 15 answers" in dry.out
    assert "time: about 0 s, 64 at a time" in dry.out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--endpoint", "127.0.0.1:8000"], "--endpoint '127.0.0.1:8000'; give a base URL such as http"),
        (["--endpoint", "http://u:p@h/v1"], "--endpoint with a user or password in it; give the key in OPENAI_API_KEY"),
        (["--endpoint", "http://h/v1/chat/completions"], "leave /chat/completions off"),
        (["-o", "s3://bucket/x"], "--output s3://bucket/x is on S3, where nothing can be appended; .*--journal DIR"),
        (["--journal", "s3://bucket/x"], "--journal 's3://bucket/x'; give a local folder"),
        (["--error", "ignore"], "--error"),
        (["--endpoint", "http://[::1"], r"--endpoint 'http://\[::1'; give a base URL such as http"),
        (["--endpoint", "http://h\x7f/v1"], "--endpoint .* give a base URL such as http"),
        *((["--timeout", seconds], f"--timeout {seconds}; allowed: more than 0") for seconds in ("nan", "inf", "0", "-1")),
        (["--input-price", "nan"], "--input-price nan; allowed: 0 or more"),
        (["--output-price", "-1"], "--output-price -1; allowed: 0 or more"),
    ],
)
def test_wrong_requests(rewrite: Rewrite, server: ChatServer, options: list[str], problem: str) -> None:
    refused = rewrite(*options)
    assert (refused.code, server.log) == (2, [])
    assert re.search(problem, refused.error)


def test_output_on_s3_with_a_local_journal(rewrite: Rewrite, s3: S3Server, tmp_path: Path) -> None:
    output = s3.uri("rewritten")
    assert rewrite("--journal", tmp_path / "journal", output=output).code == 0
    assert rewrite(output=tmp_path / "local").code == 0
    local = (tmp_path / "local" / "documents" / "a.jsonl.zst").read_bytes()
    assert s3.file("rewritten/documents/a.jsonl.zst").read_bytes() == local
    assert json.loads(s3.file("rewritten/run.json").read_bytes())["complete"] is True
    again = rewrite("--journal", tmp_path / "journal", output=output)
    assert again.code == 0 and "1 shards are done already" in again.err


def test_a_second_run_into_one_output_is_refused_and_asks_nothing(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    """As on two machines, which have a journal each."""
    told = False
    server.held = lambda: not told
    first = start("rewrite", tmp_path / "say-again.yaml", tmp_path / "in", "-o", tmp_path / "out", "--endpoint", server.url)
    wait_until(lambda: server.under_way)
    second = rewrite("--journal", tmp_path / "other", "--timeout", 1, "--tries", 1)
    told = True
    assert (second.code, second.out, end(first)[0]) == (1, "", 0)
    assert second.error.startswith(f"another run is writing to {tmp_path / 'out'} (on ")
    assert (len(server.log), len(documents_of(tmp_path / "out"))) == (20, 20)
    assert not (tmp_path / "out" / "leases").exists()


def test_what_another_run_was_answered_since_the_plan_was_made_is_not_asked_again(
    rewrite: Rewrite, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned(*given: Any, **how: Any) -> Plan:
        plan = plan_rewrite(*given, **how)
        monkeypatch.setattr(run_rewrite, "plan_rewrite", plan_rewrite)
        assert rewrite("--journal", tmp_path / "other").code == 0
        return plan

    monkeypatch.setattr(run_rewrite, "plan_rewrite", planned)
    assert rewrite().code == 0
    assert len(server.log) == 20


def test_one_worker_writes_metrics_too(rewrite: Rewrite, tmp_path: Path) -> None:
    assert rewrite("--metrics", tmp_path / "dolmino.prom").code == 0
    assert 'verb="rewrite"' in (tmp_path / "dolmino.prom").read_text()


def test_sigterm_keeps_the_answers_that_are_under_way(tmp_path: Path) -> None:
    write_template(tmp_path / "say-again.yaml")
    write_documents(tmp_path / "in" / "a.jsonl", 50)
    told = False
    with ChatServer(held=lambda: not told) as server:
        command = [sys.executable, "-m", "dolmino_cli.cli.main", "rewrite", "say-again.yaml", "in", "-o", "out", "-c", "10"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3]), "OPENAI_BASE_URL": server.url}
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        while server.under_way < 10:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        while is_pending(process.pid, signal.SIGTERM):
            time.sleep(0.01)
        told = True
        _, said = process.communicate(timeout=300)
    assert process.returncode == 1 and "dolmino: error: stopped; 40 of 50 are left: run the same command again" in said
    assert len(server.log) == len(stored_digests(tmp_path / "out" / "journal")) == 10


def is_pending(process: int, number: signal.Signals) -> bool:
    """Was the process sent a signal that has not reached it?"""
    (pending,) = re.findall(r"^ShdPnd:\s*(\w+)$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return bool(int(pending, 16) >> (number - 1) & 1)
