"""What becomes of a text before and after the tokenizer: stripping, empty documents, eos, bos, ids outside the vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokenizer.identity import resolve
from dolmino_cli.tokens.encode import Encoded, Encoding, Tally, encode_shard, stripped
from tests.tokenizer.make import byte_level
from tests.tokens.make import ids_of, write_shards

EOS, PAD = 0, 1


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return byte_level(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


def encoding(tokenizer: Path, **changes: object) -> Encoding:
    values = {
        "tokenizer_path": str(tokenizer), "tokenizer_sha256": resolve(str(tokenizer)).sha256, "eos_id": EOS, "bos_id": None,
        "special_tokens": "text", "strip": True, "engine": "auto", "on_error": "fail",
    }  # fmt: skip
    return Encoding(**{**values, **changes})  # type: ignore[arg-type]


def encode(tmp_path: Path, how: Encoding, *texts: str) -> tuple[list[list[int]], list[int], Tally]:
    """Ids and line of each document, and the tally."""
    (shard,) = list_shards([str(write_shards(tmp_path, {"s.jsonl": list(texts)}) / "s.jsonl")])
    tally = Tally()
    batches: list[Encoded] = list(encode_shard(shard, how, np.dtype("<u2"), Output(str(tmp_path / "out")), tally))
    assert all(batch.src == "s.jsonl" and batch.ids.dtype == np.dtype("<u2") for batch in batches)
    documents = [batch.ids[a:b].tolist() for batch in batches for a, b in zip(batch.offsets, batch.offsets[1:], strict=False)]
    return documents, [line for batch in batches for line in batch.line.to_pylist()], tally


def test_stripping_is_pythons_for_every_code_point() -> None:
    texts = [f"{chr(code)}a{chr(code)}b{chr(code)}" for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assert stripped(pa.array(texts, pa.large_string())).to_pylist() == [text.strip() for text in texts]
    edges = ["", " ", "\x1c \u3000", "a", "a ", "\n a", "\u200ba\u200b", "日 "]
    for subset in (edges, edges[3:4], [""], []):
        given = pa.array(["before ", *subset, " after"], pa.large_string())[1:-1]
        assert stripped(given).to_pylist() == [text.strip() for text in subset]


def test_documents_are_stripped_ended_and_empty_ones_counted(tmp_path: Path, tokenizer: Path) -> None:
    documents, lines, tally = encode(tmp_path, encoding(tokenizer), "  the dog\n", "", " \n\u3000", "a")
    assert documents == [ids_of(tokenizer, "the dog", EOS), ids_of(tokenizer, "a", EOS)]
    assert lines == [1, 4]
    assert (tally.read, tally.tokenised, tally.empty, tally.quarantined) == (4, 2, 2, 0)
    assert tally.text_bytes == len("  the dog\n \n\u3000a".encode())


def test_without_stripping_white_space_is_text(tmp_path: Path, tokenizer: Path) -> None:
    documents, _, tally = encode(tmp_path, encoding(tokenizer, strip=False), " a ", " ", "")
    assert documents == [ids_of(tokenizer, " a ", EOS), ids_of(tokenizer, " ", EOS)]
    assert (tally.tokenised, tally.empty) == (2, 1)


def test_a_document_that_ends_with_eos_gets_no_second_one(tmp_path: Path, tokenizer: Path) -> None:
    texts = ["a<|endoftext|>", "<|endoftext|>", "a", "a<|endoftext|><|endoftext|>", "<|endoftext|>a"]
    documents, _, _ = encode(tmp_path, encoding(tokenizer, special_tokens="token"), *texts)
    (a,) = ids_of(tokenizer, "a")
    assert documents == [[a, EOS], [EOS], [a, EOS], [a, EOS, EOS], [EOS, a, EOS]]


def test_special_token_text_stays_text_by_default(tmp_path: Path, tokenizer: Path) -> None:
    documents, _, _ = encode(tmp_path, encoding(tokenizer), "a<|endoftext|>")
    assert documents == [ids_of(tokenizer, "a<|endoftext|>", EOS)] and documents[0].count(EOS) == 1


def test_bos_stands_before_documents_that_lack_it(tmp_path: Path, tokenizer: Path) -> None:
    documents, _, _ = encode(tmp_path, encoding(tokenizer, bos_id=PAD, special_tokens="token"), "a", "<|pad|>a", "a<|endoftext|>")
    (a,) = ids_of(tokenizer, "a")
    assert documents == [[PAD, a, EOS]] * 3


def test_a_text_that_the_tokenizer_gives_no_ids_for_is_empty(tmp_path: Path) -> None:
    from tests.tokenizer.make import normalizers

    tokenizer = byte_level(tmp_path / "t" / "tokenizer.json", normalizer=normalizers.Replace("x", ""))
    documents, lines, tally = encode(tmp_path, encoding(tokenizer), "xx", "a", "x")
    assert (documents, lines, tally.empty, tally.tokenised) == ([ids_of(tokenizer, "a", EOS)], [2], 2, 1)


def test_an_id_outside_the_vocabulary_stops(tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how = encoding(tokenizer)
    identity = how.load().identity
    monkeypatch.setattr(how.load(), "identity", _with_size(identity, 40))
    with pytest.raises(DataError, match=r"s.jsonl:2: token id \d+ is outside the vocabulary \(40 ids\)"):
        encode(tmp_path, how, "!", "the dog")


def _with_size(identity: object, size: int) -> object:
    import dataclasses

    return dataclasses.replace(identity, vocabulary_size=size)  # type: ignore[type-var]
