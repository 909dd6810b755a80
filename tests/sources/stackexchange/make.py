"""Small dumps for the join's tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import py7zr
import zstandard

HEAD = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n'
TAIL = b"</posts>"


def row(**attributes: object) -> bytes:
    """A row as dumps write it."""
    values = (f"{name}={quoteattr(str(value), {chr(34): '&quot;', chr(10): '&#xA;'})}" for name, value in attributes.items())
    return f"  <row {' '.join(values)} />\r\n".encode()


def question(number: int, *, accepts: int | None = None, score: int = 3, **further: object) -> bytes:
    given: dict[str, object] = {} if accepts is None else {"AcceptedAnswerId": accepts}
    attributes = {
        "Id": number,
        "PostTypeId": 1,
        **given,
        "CreationDate": f"2020-01-01T00:00:00.{number % 1000:03d}",
        "Score": score,
        "ViewCount": 10 * number,
        "Body": f"<p>question {number}</p>",
        "Title": f"title {number}",
        "Tags": "|a|b|",
        "AnswerCount": 1,
    }
    return row(**{**attributes, **further})


def answer(number: int, *, to: int, score: int = 5, **further: object) -> bytes:
    attributes = {
        "Id": number,
        "PostTypeId": 2,
        "ParentId": to,
        "CreationDate": "2020-01-02T00:00:00.000",
        "Score": score,
        "Body": f"<p>answer {number}</p>",
        "LastActivityDate": "2020-01-03T00:00:00.000",
    }
    return row(**{**attributes, **further})


def posts(rows: Iterable[bytes]) -> bytes:
    """Posts.xml with these rows."""
    return HEAD + b"".join(rows) + TAIL


def write(folder: Path, site: str, content: bytes) -> Path:
    """`folder/site/Posts.xml`; returns the folder."""
    path = folder / site / "Posts.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return folder


def write_7z(path: Path, members: Mapping[str, bytes], **options: Any) -> Path:
    """An archive as the Internet Archive has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with py7zr.SevenZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(content, name)
    return path


def documents(output: Path) -> list[dict[str, Any]]:
    """All documents of a run, by site and in order."""
    found: list[dict[str, Any]] = []
    for path in sorted((output / "documents").rglob("*.jsonl.zst")):
        with path.open("rb") as file:
            found += map(
                json.loads, zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read().splitlines()
            )
    return found
