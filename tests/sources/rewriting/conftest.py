"""A server and the command that asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.run import Outcome, dolmino
from tests.sources.rewriting.chat_server import ChatServer
from tests.sources.rewriting.make import KEY, Rewrite, write_documents, write_template


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(seconds=0.002) as server:
        yield server


@pytest.fixture
def rewrite(tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rewrite:
    """Run the command over 20 documents with the template of make.py, with more options or others in their place."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr("dolmino_cli.sources.rewriting.client.FIRST_WAIT_SECONDS", 0.01)
    write_template(tmp_path / "say-again.yaml")
    write_documents(tmp_path / "in" / "a.jsonl", 20)

    def run(
        *options: object, template: str = "say-again.yaml", output: object = tmp_path / "out", url: str | None = None
    ) -> Outcome:
        fixed = ["rewrite", tmp_path / template, tmp_path / "in", "-o", output, "--endpoint", url or server.url]
        return dolmino(monkeypatch, capsys, *fixed, *options)

    return run
