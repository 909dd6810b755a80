"""`dolmino rewrite` where inputs, answers or surroundings are unusual: refused before anything is paid, or seen through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.run import dolmino
from tests.sources.rewriting.chat_server import ChatServer
from tests.sources.rewriting.make import KEY, Rewrite, documents_of, number_of, stored_digests


@pytest.mark.parametrize("proxy", ["foo:bar", "ftp://h:1", "http://user:secret@h:x"])
def test_a_proxy_that_is_none(rewrite: Rewrite, server: ChatServer, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    refused = rewrite()
    assert (refused.code, server.log, "secret" in refused.err) == (2, [], False)
    assert "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names a proxy that cannot be used; give it as http://host:port" in refused.error


@pytest.mark.parametrize("key", ["sk-SECRET\nx", "sk-SECRET x", "sk-SECR\u00c9T", "sk-SECRET\x7f"])
def test_a_key_that_no_header_holds_is_refused_and_not_shown(
    rewrite: Rewrite, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    refused = rewrite()
    assert (refused.code, server.log, (tmp_path / "out").exists()) == (2, [], False)
    assert refused.error.startswith("OPENAI_API_KEY holds a space") and "SECR" not in refused.err + refused.out


def test_the_key_is_in_no_failure(rewrite: Rewrite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def post(*_: object, **__: object) -> None:
        raise httpx2.ConnectError(f"cannot send Bearer {KEY}")

    monkeypatch.setattr(httpx2.AsyncClient, "post", post)
    failed = rewrite("--tries", "1", "-c", "4")
    assert failed.code == 1 and "no connection: cannot send Bearer [key]" in failed.error
    stored = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert b"Bearer [key]" in stored and KEY.encode() not in stored


def test_no_part_of_the_key_is_in_a_long_refusal(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    server.behave = lambda body, _: f"400 {'x' * 185} {KEY}" if number_of(json.loads(body)) == 0 else "ok"
    failed = rewrite()
    assert failed.code == 1 and f"{'x' * 185} [key]" in failed.error
    stored = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert KEY[:5] not in failed.err and KEY[:5].encode() not in stored


@pytest.mark.parametrize("nothing", ["", "\n \n"])
def test_a_shard_without_documents(rewrite: Rewrite, server: ChatServer, tmp_path: Path, nothing: str) -> None:
    (tmp_path / "in" / "b.jsonl").write_text(nothing)
    done = rewrite()
    assert done.code == 0 and "20 asked for = 20 documents + 0 dropped + 0 quarantined" in done.out
    assert pq.read_table(tmp_path / "out" / "attributes" / "b.parquet").num_rows == 0
    (tmp_path / "in" / "a.jsonl").unlink()
    done = rewrite(output=tmp_path / "none")
    assert done.code == 0 and "0 asked for = 0 documents + 0 dropped + 0 quarantined" in done.out
    assert json.loads((tmp_path / "none" / "run.json").read_text())["complete"] is True


def test_documents_of_a_filter_that_kept_nothing_of_a_shard(
    rewrite: Rewrite,
    server: ChatServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("a", "Tom has 2 apples.", "def simple_math_problem() -> int:\n    return 2\n"), ("b", "What?", "import os")]
    for name, question, code in rows:
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw" / f"{name}.jsonl").write_text(json.dumps({"question": question, "code": code}) + "\n")
    filtered = dolmino(monkeypatch, capsys, "filter", "tinygsm", tmp_path / "raw", "-o", tmp_path / "filtered")
    assert filtered.code == 0, filtered.err
    done = dolmino(
        monkeypatch,
        capsys,
        *("rewrite", tmp_path / "say-again.yaml", tmp_path / "filtered" / "documents"),
        *("-o", tmp_path / "out", "--endpoint", server.url),
    )
    assert done.code == 0, done.err
    assert "1 asked for = 1 documents + 0 dropped + 0 quarantined" in done.out and len(documents_of(tmp_path / "out")) == 1


def test_a_mistake_while_a_shard_is_written_is_raised(rewrite: Rewrite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_shard(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    with monkeypatch.context() as broken:
        broken.setattr("dolmino_cli.sources.rewriting.run.write_shard", write_shard)
        with pytest.raises(ZeroDivisionError, match="a mistake of ours"):
            rewrite()
    assert len(stored_digests(tmp_path / "out" / "journal")) == 20
    assert rewrite().code == 0


def test_metadata_that_is_plain_text(rewrite: Rewrite, tmp_path: Path) -> None:
    told = json.dumps({"rewrites": [{"template": "earlier"}]})
    rows: list[dict[str, Any]] = [
        {"id": str(i), "text": "x y", "metadata": text} for i, text in enumerate(["just text", told, None])
    ]
    (tmp_path / "in" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in" / "b.parquet")
    assert rewrite().code == 0
    for documents in (documents_of(tmp_path / "out")[:3], documents_of(tmp_path / "out")[3:]):
        metadata = [document["metadata"] for document in documents]
        assert [one.get("metadata") for one in metadata] == ["just text", told, None]
        templates = [[done["template"] for done in one["rewrites"]] for one in metadata]
        assert templates == [["say-again"], ["earlier", "say-again"], ["say-again"]]


def test_a_row_that_no_json_holds_costs_nothing(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.jsonl").unlink()
    note = pa.array([b"fine", b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": ["a", "b"], "text": ["x y", "z y"], "note": note}), tmp_path / "in" / "a.parquet")
    for dry in (["--dry-run"], []):
        failed = rewrite(*dry)
        assert (failed.code, server.log) == (1, [])
        assert failed.error.endswith("a.parquet:2: invalid UTF-8 in `note`")
    done = rewrite("--error", "quarantine")
    assert "2 asked for = 1 documents + 0 dropped + 1 quarantined" in done.out
    (aside,) = pq.read_table(tmp_path / "out" / "quarantine" / "a.parquet.parquet").to_pylist()
    assert (aside["line"], aside["record"]) == (2, b"z y b \xff")
    (document,) = documents_of(tmp_path / "out")
    assert (document["id"], document["note"]) == ("a/say-again", "fine")


def test_odd_answers_are_kept(rewrite: Rewrite, server: ChatServer, tmp_path: Path) -> None:
    replies: dict[int, dict[str, Any]] = {
        1: {"model": "\ud83d"},
        2: {"finish_reason": "\ud83d"},
        3: {"usage": {"prompt_tokens": 2**63 + 1, "completion_tokens": 2**70}},
        4: {"content": [{"type": "text", "text": "in "}, {"type": "image"}, {"type": "text", "text": "parts"}]},
        5: {"usage": {"prompt_tokens": 2**63 - 1, "completion_tokens": True}},
    }
    server.reply = lambda request: replies.get(number_of(request), {})
    server.behave = lambda body, _: "400 bad \ud83d" if number_of(json.loads(body)) == 6 else "ok"
    done = rewrite("--error", "quarantine")
    assert done.code == 0 and "20 asked for = 18 documents + 1 dropped + 1 quarantined" in done.out
    documents = {document["metadata"]["n"]: document for document in documents_of(tmp_path / "out")}
    assert documents[1]["metadata"]["rewrites"][0]["served_model"] == "\ufffd"
    assert documents[4]["text"] == "in parts"
    rows = pq.read_table(tmp_path / "out" / "attributes" / "a.parquet").to_pylist()
    assert (rows[2]["finish"], rows[2]["reason"]) == ("\ufffd", "not_finished")
    tokens = [(rows[i]["prompt_tokens"], rows[i]["completion_tokens"]) for i in (3, 5)]
    assert tokens == [(None, None), (2**63 - 1, None)]
    (aside,) = pq.read_table(tmp_path / "out" / "quarantine" / "a.jsonl.parquet").to_pylist()
    assert aside["reason"] == "400: bad \ufffd"
