"""A group that was begun goes on behind its last whole file, wherever the run was killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.tokens import encode, parts, progress
from dolmino_cli.tokens.retokenize import retokenize
from tests.tokenizer.make import byte_level
from tests.tokens.make import content, many_shards


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Batches of a few documents; the list has how many documents were encoded, by batch."""
    encoded: list[int] = []
    real = encode._encode

    def counting(batch: Any, *more: Any) -> Any:
        encoded.append(len(batch))
        return real(batch, *more)

    monkeypatch.setattr(encode, "BATCH_BYTES", 700)
    monkeypatch.setattr(encode, "_encode", counting)
    yield encoded


@pytest.mark.parametrize("kill_at", range(1, 12))
def test_killed_at_any_file(tmp_path: Path, small_batches: list[int], kill_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shards, tokenizer = many_shards(tmp_path / "in"), byte_level(tmp_path / "tokenizer.json")
    (shards / "s03x.jsonl").write_bytes(b'{"id": 3}\n' + (shards / "s02.jsonl").read_bytes())
    given: dict[str, Any] = {"tokenizer": str(tokenizer), "on_error": "quarantine", "engine": "tokenizers"}
    # Files are small and groups large: a group has many files.
    monkeypatch.setattr("dolmino_cli.tokens.groups.PLAIN_BYTES_PER_TOKEN", 100.0)
    monkeypatch.setattr("dolmino_cli.tokens.groups.COMPRESSED_BYTES_PER_TOKEN", 100.0)
    retokenize([str(shards)], output=str(tmp_path / "whole"), tokens_per_file=400, **given)
    once = sum(small_batches)
    small_batches.clear()
    publish, published = parts._Part.publish, 0

    def killing(part: Any) -> Any:
        nonlocal published
        published += 1
        if published == kill_at:
            raise Killed
        return publish(part)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(parts._Part, "publish", killing)
        retokenize([str(shards)], output=str(tmp_path / "out"), tokens_per_file=400, **given)
    assert (tmp_path / "out/parts").exists() == (kill_at > 1)
    retokenize([str(shards)], output=str(tmp_path / "out"), tokens_per_file=400, **given)
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert not (tmp_path / "out/parts").exists()
    # At most the file that was being written, the batch it began in, and the one that filled it.
    assert once <= sum(small_batches) <= once + 60


def test_a_version_with_other_batches_begins_anew(
    tmp_path: Path, small_batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shards, tokenizer = many_shards(tmp_path / "in"), byte_level(tmp_path / "tokenizer.json")
    given: dict[str, Any] = {"tokenizer": str(tokenizer), "engine": "tokenizers", "tokens_per_file": 400}
    monkeypatch.setattr("dolmino_cli.tokens.groups.PLAIN_BYTES_PER_TOKEN", 100.0)
    retokenize([str(shards)], output=str(tmp_path / "whole"), **given)
    saved = 0

    def killing(*arguments: Any) -> None:
        nonlocal saved
        real(*arguments)
        saved += 1
        if saved == 5:
            raise Killed

    real = progress.save
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(progress, "save", killing)
        retokenize([str(shards)], output=str(tmp_path / "out"), **given)
    monkeypatch.setattr(encode, "BATCH_BYTES", 1500)
    retokenize([str(shards)], output=str(tmp_path / "out"), **given)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.parametrize(("killed_in", "then"), [("forget", {}), ("save", {"workers": 2}), ("save", {"tokens_per_file": 10**6})])
def test_nothing_is_left_of_what_nobody_goes_on_from(
    tmp_path: Path, killed_in: str, then: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shards, tokenizer = many_shards(tmp_path / "in"), byte_level(tmp_path / "tokenizer.json")
    given: dict[str, Any] = {"tokenizer": str(tokenizer), "engine": "tokenizers", "tokens_per_file": 400}
    monkeypatch.setattr("dolmino_cli.tokens.groups.PLAIN_BYTES_PER_TOKEN", 100.0)
    monkeypatch.setattr("dolmino_cli.tokens.groups.COMPRESSED_BYTES_PER_TOKEN", 100.0)
    real, calls = getattr(progress, killed_in), 0

    def killing(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if (killed_in, calls) in (("forget", 1), ("save", 4)):
            raise Killed
        real(*arguments)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(progress, killed_in, killing)
        retokenize([str(shards)], output=str(tmp_path / "out"), **given)
    assert (tmp_path / "out/parts").exists()
    retokenize([str(shards)], output=str(tmp_path / "out"), **(given | then))
    retokenize([str(shards)], output=str(tmp_path / "whole"), **(given | then))
    names = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("out", "whole")]
    assert names[0] == names[1] and content(tmp_path / "out") == content(tmp_path / "whole")
