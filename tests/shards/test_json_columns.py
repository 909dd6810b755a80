"""Ids and texts of JSON lines: the same by the decoder and by the kernel, and the kernel only where it pays."""

from __future__ import annotations

import json
import sys

import msgspec
import pytest

from dolmino_cli.shards import json_columns
from dolmino_cli.shards.json_columns import Columns, decode

LINES = [
    b'{"id":"a","text":"one"}',
    b' { "text" : "tw\\u006f \\"2\\"\\n" , "more" : {"text": 5}, "id" : "b\\t" } \r',
    b'{"id":"c","text":""}',
    '{"id":"漢","text":"\\\\字\U0001f600","id":"d","text":"\\ud83d\\ude00 é"}'.encode(),
    json.dumps({"id": "e", "text": "x" * 100 + "\0"}).encode(),
]
TEXTS = ["one", 'two "2"\n', "", "\U0001f600 é", "x" * 100 + "\0"]


def decoded(lines: list[bytes]) -> Columns:
    return decode(memoryview(b"\n".join(lines) + b"\n"))


@pytest.mark.usefixtures("each_way")
def test_columns() -> None:
    columns = decoded(LINES)
    columns.text.validate(full=True)
    assert columns.text.to_pylist() == TEXTS
    assert columns.id.to_pylist() == ["a", "b\t", "c", "d", "e"]
    for line, text, written_bytes in zip(LINES, TEXTS, columns.written_bytes.tolist(), strict=True):
        assert len(text.encode()) <= written_bytes <= len(line)


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize("text", ["5", "null", '{"a":"b"}', '["a"]', '"\\ud83d"', '"\\x"', '"a', '"\t"'])
def test_a_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeError)):
        decoded([LINES[0], f'{{"id":"a","text":{text}}}'.encode(), LINES[2]])


def test_the_kernel_is_taken_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: object) -> Columns:
        raise AssertionError("too early")

    size = len(b"\n".join(LINES)) + 1
    monkeypatch.setattr(json_columns, "_read_bytes", 0)
    monkeypatch.setattr(json_columns, "_PAYS_AFTER_BYTES", 2 * size)
    monkeypatch.delitem(sys.modules, "dolmino_cli.kernels", raising=False)
    with monkeypatch.context() as patch:
        patch.setattr(json_columns, "_by_kernel", forbidden)
        assert decoded(LINES).text.to_pylist() == TEXTS
        with pytest.raises(AssertionError, match="too early"):
            decoded(LINES)
    assert decoded(LINES).text.to_pylist() == TEXTS

    monkeypatch.setattr(json_columns, "_read_bytes", 0)
    monkeypatch.setitem(sys.modules, "dolmino_cli.kernels", sys)
    monkeypatch.setattr(json_columns, "_by_kernel", forbidden)
    with pytest.raises(AssertionError, match="too early"):
        decoded(LINES)
