"""No record is lost silently: what is wrong, where, and what was kept."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.shards.reading import Quarantined
from tests.shards.make import line, packed, read

pytestmark = pytest.mark.usefixtures("each_way")

GOOD = line("a", "one")

TOO_DEEP = "nested too deeply: more than 500 objects and arrays in each other"

FAULTS = [
    (b'{"id":"a","text":"x"', "invalid JSON: Expecting ',' delimiter at character 21"),
    (b"not json", "invalid JSON: Expecting value at character 1"),
    (b'{"id":"a","text":"x"} {}', "invalid JSON: Extra data at character 23"),
    (b'{"id":"a","text":"x"}{"id":"b","text":"y"}', "invalid JSON: Extra data at character 22"),
    (b'{"id":"a","text":"x\ty"}', "invalid JSON: Invalid control character at at character 20"),
    (b'{"id":"a","text":"x","n":NaN}', "invalid JSON: NaN is not JSON"),
    (b'{"text":"x","url":"u"}', "no field `id`; fields: text, url"),
    (b'{"id":"a"}', "no field `text`; fields: id"),
    (b"{}", "no field `id`; fields: none"),
    (b'{"id":1,"text":"x"}', "`id` must be a string, got a number"),
    (b'{"id":null,"text":"x"}', "`id` must be a string, got null"),
    (b'{"id":"a","text":null}', "`text` must be a string, got null"),
    (b'{"id":"a","text":["x"]}', "`text` must be a string, got an array"),
    (b'{"id":"a","text":"x","text":3}', "`text` must be a string, got a number"),
    (b'[{"id":"a","text":"x"}]', "expected a JSON object on each line, got an array"),
    (b'"a"', "expected a JSON object on each line, got a string"),
    (b"null", "expected a JSON object on each line, got null"),
    (b'{"id":"a","text":"x\xff"}', "invalid UTF-8: byte 0xff at position 20 of the line"),
    (b'{"id":"a","text":"x","metadata":{"k":"\xc3("}}', "invalid UTF-8: byte 0xc3 at position 39 of the line"),
    (b'{"id":"a","text":"\xed\xa0\x80"}', "invalid UTF-8: byte 0xed at position 19 of the line"),
    (b'{"id":"a","text":"x\\ud800"}', "lone surrogate escape in `text`: no Unicode text has it"),
    (b'{"id":"a","text":"\\udc00x"}', "lone surrogate escape in `text`: no Unicode text has it"),
    (b'{"id":"a","text":"x","metadata":{"t":["\\ud83d"]}}', "lone surrogate escape in `metadata.t`: no Unicode text has it"),
    (b"\xef\xbb\xbf" + GOOD, "invalid JSON: Unexpected UTF-8 BOM (decode using utf-8-sig) at character 1"),
    (b'{"id":"a","text":"x","n":' + b"[" * 100_000 + b"]" * 100_000 + b"}", TOO_DEEP),
]


@pytest.mark.parametrize(("bad", "reason"), FAULTS, ids=[reason[:40] + f" {i}" for i, (_, reason) in enumerate(FAULTS)])
def test_a_bad_line_fails_with_its_place_or_is_set_aside(tmp_path: Path, bad: bytes, reason: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(GOOD + b"\n\n" + bad + b"\r\n" + GOOD)
    assert read(path, "quarantine") == (
        [(1, "a", "one", GOOD), (4, "a", "one", GOOD)],
        [Quarantined(line=3, reason=reason, record=bad)],
    )
    with pytest.raises(DataError) as failure:
        read(path)
    assert str(failure.value) == f"{path}:3: {reason}"


@pytest.mark.parametrize("calls", [0, 300])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"[":', b"}"), (b'\r[ "{", ', b"]")])
def test_how_deep_a_record_may_be_does_not_depend_on_the_callers_depth(
    tmp_path: Path, calls: int, opening: bytes, closing: bytes
) -> None:
    """499 in the document's own object are read, 500 are not, by whichever worker; brackets in strings do not count."""
    path = tmp_path / "x.jsonl"
    good, bad = (b'{"id":"a","text":"[[","n":' + opening * n + b"1" + closing * n + b"}" for n in (499, 500))
    text = line("b", ': [": {' * 2000)

    def reading(calls: int) -> tuple[list[Any], list[Quarantined]]:
        return reading(calls - 1) if calls else read(path, "quarantine")

    path.write_bytes(good + b"\n" + text + b"\n")
    assert reading(calls) == ([(1, "a", "[[", good), (2, "b", ': [": {' * 2000, text)], [])
    path.write_bytes(good + b"\n" + bad + b"\n")
    assert reading(calls) == ([(1, "a", "[[", good)], [Quarantined(line=2, reason=TOO_DEEP, record=bad)])


@pytest.mark.parametrize("first", [b"3", b"null", b"1e999", b'{"id":[]}', b'"a"'])
def test_of_two_equal_keys_only_the_last_needs_to_be_a_string(tmp_path: Path, first: bytes) -> None:
    record = b'{"id":' + first + b',"text":' + first + b',"id":"b","te\\u0078t":"last"}'
    (tmp_path / "x.jsonl").write_bytes(record)
    assert read(tmp_path / "x.jsonl") == ([(1, "b", "last", record)], [])


def test_objects_across_lines_are_not_joined(tmp_path: Path) -> None:
    """Two lines, two objects, but not one on each: the count alone would not tell."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"id":"a",\n"text":"x"}{"id":"b","text":"y"}\n')
    documents, aside = read(path, "quarantine")
    assert documents == []
    assert [(one.line, one.record) for one in aside] == [(1, b'{"id":"a",'), (2, b'"text":"x"}{"id":"b","text":"y"}')]


def test_only_bad_lines(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"1\n2\n")
    documents, aside = read(tmp_path / "x.jsonl", "quarantine")
    assert (documents, [one.line for one in aside]) == ([], [1, 2])


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_a_file_of_no_bytes_is_truncated(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"")
    name = {".jsonl.gz": "gzip", ".jsonl.zst": "zstd"}[suffix]
    reason = f"truncated: the file has 0 bytes, not even a {name} header"
    with pytest.raises(DataError) as failure:
        read(path)
    assert str(failure.value) == f"{path}:1: {reason}"
    assert read(path, "quarantine") == ([], [Quarantined(line=1, reason=reason, record=b"")])


# Texts that do not compress, so that a cut falls into the middle of the documents.
RECORDS = [line(str(i), random.Random(i).randbytes(30_000).hex()) for i in range(20)]
CONTENT = b"\n".join(RECORDS) + b"\n"


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("left", [0.1, 0.5, 0.97, -1, -4])
def test_a_cut_file_keeps_what_was_whole(tmp_path: Path, suffix: str, left: float) -> None:
    path = tmp_path / f"x{suffix}"
    whole = packed(CONTENT, suffix)
    path.write_bytes(whole[: int(len(whole) * left)] if left > 0 else whole[: int(left)])
    documents, aside = read(path, "quarantine")
    kept = len(documents)
    assert [(document[0], document[3]) for document in documents] == list(enumerate(RECORDS[:kept], 1))
    assert [one.line for one in aside] == [kept + 1]
    assert aside[0].reason.startswith("truncated: ")
    assert CONTENT.startswith(b"".join(record + b"\n" for record in RECORDS[:kept]) + aside[0].record)
    decoded_bytes = sum(len(document[3]) + 1 for document in documents) + len(aside[0].record)
    assert decoded_bytes >= (left if left > 0 else 1) * len(CONTENT) - 200_000  # at most the blocks being decoded
    with pytest.raises(DataError, match=rf"x{suffix}:{kept + 1}: truncated: "):
        read(path)


def test_a_cut_between_documents_is_still_counted(tmp_path: Path) -> None:
    """The last frame was never begun in earnest: its loss shows as a record of 0 bytes."""
    path = tmp_path / "x.jsonl.zst"
    path.write_bytes(packed(GOOD + b"\n", ".zst") + packed(GOOD, ".zst")[:7])
    reason = "truncated: the zstd data ends inside a frame"
    assert read(path, "quarantine") == ([(1, "a", "one", GOOD)], [Quarantined(line=2, reason=reason, record=b"")])


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_damaged_data(tmp_path: Path, suffix: str) -> None:
    whole = bytearray(packed(CONTENT, suffix))
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    path = tmp_path / f"x{suffix}"
    path.write_bytes(whole)
    name = {".jsonl.gz": "gzip", ".jsonl.zst": "zstd"}[suffix]
    with pytest.raises(DataError, match=rf":\d+: corrupt {name} data: "):
        read(path)
    documents, aside = read(path, "quarantine")
    assert aside
    assert aside[-1].reason.startswith(f"corrupt {name} data: ")
    assert aside[-1].line == len(documents) + len(aside)


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_what_is_not_compressed_at_all(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(GOOD)
    with pytest.raises(DataError, match=r":1: corrupt (gzip|zstd) data: "):
        read(path)


def test_missing_and_forbidden_files(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"^cannot read .*x\.jsonl: there is no such file$"):
        read(tmp_path / "x.jsonl")
    (tmp_path / "y.jsonl").mkdir()
    with pytest.raises(StorageError, match=r"^cannot read .*y\.jsonl: this is a folder, not a file$"):
        read(tmp_path / "y.jsonl")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([GOOD, b"", b" ", *(bad for bad, _ in FAULTS[:-1])]), max_size=12), st.integers(3, 300))
def test_every_line_is_counted_once(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], batch_bytes: int) -> None:
    """The law: non-blank lines = documents + set aside, whatever is mixed, and however it is cut into blocks."""
    path = tmp_path_factory.getbasetemp() / "mixed.jsonl"
    path.write_bytes(b"\n" + b"\n".join(lines))
    documents, aside = read(path, "quarantine", batch_bytes)
    seen = sorted([(document[0], document[3]) for document in documents] + [(one.line, one.record) for one in aside])
    assert seen == [(number, text) for number, text in enumerate(lines, 2) if text.strip()]
    assert all(json.loads(document[3]) for document in documents)
