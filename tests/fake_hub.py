"""A small HTTP server that speaks the part of the Hugging Face Hub's protocol that reading needs."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

_REVISION = r"main|refs/\w+/\w+|\w+"
_API = re.compile(rf"/api/(datasets|models)/(\w+/\w+)(?:/revision/({_REVISION}))?")
_TREE = re.compile(rf"/api/(datasets|models)/(\w+/\w+)/tree/({_REVISION})(?:/(.*))?")
_FILE = re.compile(rf"/(?:(datasets)/)?(\w+/\w+)/resolve/({_REVISION})/(.+)")


class FakeHub(http.server.BaseHTTPRequestHandler):
    """What is in `repositories`: by "datasets/owner/name" or "models/owner/name" and revision, the files; `lab/gated` refuses.

    A revision is found by its commit too.
    """

    repositories: Mapping[str, Mapping[str, Mapping[str, bytes]]]

    def log_message(self, *_: object) -> None:
        return

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlparse(self.path).path)
        if "lab/gated" in path:
            self.answer(401, b"{}", {"X-Error-Code": "GatedRepo"})
        elif found := _API.fullmatch(path):
            kind, name, revision = found.groups()
            files = self.files(kind, name, revision or "main")
            if files is not None:
                siblings = [{"rfilename": file} for file in files]
                about = {"id": name, "sha": commit_of(revision or "main"), "siblings": siblings}
                self.answer(200, json.dumps(about).encode())
        elif found := _TREE.fullmatch(path):
            kind, name, revision, folder = found.groups()
            files = self.files(kind, name, revision)
            if files is not None:
                self.tree(files, folder or "", recursive="recursive=true" in self.path.lower())
        elif found := _FILE.fullmatch(path):
            kind, name, revision, file = found.groups()
            files = self.files(kind or "models", name, revision)
            if files is not None and file in files:
                self.content(files[file], revision)
            elif files is not None:
                self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        else:
            self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def files(self, kind: str, name: str, revision: str) -> Mapping[str, bytes] | None:
        """Those of a repository at a revision; where there is no such, that is the answer."""
        revisions = self.repositories.get(f"{kind}/{name}", {})
        for known, files in revisions.items():
            if revision in (known, commit_of(known)):
                return files
        self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound" if revisions else "RepoNotFound"})
        return None

    def tree(self, files: Mapping[str, bytes], folder: str, *, recursive: bool) -> None:
        prefix = f"{folder}/" if folder else ""
        entries: dict[str, dict[str, object]] = {}
        for name, data in files.items():
            if not name.startswith(prefix):
                continue
            parts = name[len(prefix) :].split("/")
            for i in range(1, len(parts) if recursive else min(len(parts), 2)):
                below = prefix + "/".join(parts[:i])
                entries[below] = {"type": "directory", "path": below, "oid": "1", "size": 0}
            if recursive or len(parts) == 1:
                entries[name] = {"type": "file", "path": name, "oid": hashlib.sha1(data).hexdigest(), "size": len(data)}
        if entries:
            self.answer(200, json.dumps(list(entries.values())).encode())
        else:
            self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})

    def content(self, data: bytes, revision: str) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        headers = {"X-Repo-Commit": commit_of(revision), "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        if not asked:
            self.answer(200, data, headers)
            return
        start, end = int(asked.group(1)), min(int(asked.group(2) or len(data) - 1), len(data) - 1)
        self.answer(206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def commit_of(revision: str) -> str:
    """Of a branch or tag; a commit is its own."""
    return revision if re.fullmatch(r"[0-9a-f]{40}", revision) else hashlib.sha1(revision.encode()).hexdigest()


@contextmanager
def hub_of(
    repositories: Mapping[str, Mapping[str, Mapping[str, bytes]]], monkeypatch: pytest.MonkeyPatch, cache: Path
) -> Iterator[None]:
    """A server of these is the Hub, until it ends, and `cache` the library's cache, until the test does."""
    FakeHub.repositories = repositories
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
