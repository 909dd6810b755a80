"""Every bundled template asks a real server about documents, and makes of the answers what its page says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.bundled import bundled_names
from dolmino_cli.sources.rewriting.template import load_template
from tests.cli.run import dolmino
from tests.sources.rewriting.chat_server import ChatServer
from tests.sources.rewriting.make import documents_of

TEMPLATES = bundled_names("filters/rewrites")
# What the model says: long enough for every template, with braces that are nobody's placeholder.
ANSWER = "Ana: so we add the set {3, 4}.\nBo: yes, that makes 7. " * 8 + "The final answer is 7."


def answer_to(request: dict[str, Any]) -> dict[str, Any]:
    return {"content": "Math." if request["max_tokens"] < 10 else ANSWER}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_turns_documents_and_rows_into_documents(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    template = load_template(name)
    records: list[dict[str, Any]] = [{"id": "one", "text": "3 + 4 = ? {text}", "metadata": {"kept": True}}]
    if template.rows:
        records.append({column: f"the {column}" for column in template.rows[0].text})
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    with ChatServer(reply=answer_to, seconds=0.001) as server:
        done = dolmino(
            monkeypatch, capsys, "rewrite", name, tmp_path / "in.jsonl", "-o", tmp_path / "out", "--endpoint", server.url
        )
    assert done.code == 0, done.err
    made = documents_of(tmp_path / "out")
    assert len(made) == len(records)
    asked = {digest: request["messages"][-1]["content"] for digest, request in server.bodies.items()}
    step = made[0]["metadata"]["rewrites"][0]
    assert "3 + 4 = ? {text}" in asked[step["request_sha256"]], "the document's own braces stay what they are"
    assert server.bodies[step["request_sha256"]]["model"] == template.model
    if template.into:
        assert (made[0]["id"], made[0]["text"], made[0]["metadata"]["label"]) == ("one", "3 + 4 = ? {text}", "math")
    else:
        assert made[0]["id"] == f"one/{name}"
        assert made[0]["text"] == template.document.replace("{answer}", ANSWER).replace("{text}", "3 + 4 = ? {text}", 1)
    assert made[0]["metadata"]["kept"] is True


def test_personas_become_problems_and_these_solved_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "personas.jsonl").write_text('{"persona": "A lighthouse keeper"}\n{"persona": "A baker"}\n')
    with ChatServer(reply=answer_to, seconds=0.001) as server:
        at = ("--endpoint", server.url)
        for template, read, written in (
            ("persona-grade-school-problem", tmp_path / "personas.jsonl", tmp_path / "problems"),
            ("math-solution", tmp_path / "problems", tmp_path / "solved"),
        ):
            options = ("--copies", "2") if template.startswith("persona") else ()
            done = dolmino(monkeypatch, capsys, "rewrite", template, read, "-o", written, *at, *options)
            assert done.code == 0, done.err
    solved = documents_of(tmp_path / "solved")
    assert len({document["id"] for document in solved}) == 4, "two problems of each persona, solved once each"
    assert {document["text"] for document in solved} == {f"{ANSWER}\n\n{ANSWER}"}
    steps = [step["template"] for step in solved[0]["metadata"]["rewrites"]]
    assert steps == ["persona-grade-school-problem", "math-solution"]
    assert solved[0]["metadata"]["persona"] == "A lighthouse keeper"
