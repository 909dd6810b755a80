"""The bytes of tokens, put together, are the text that was tokenized, for every kind of tokenizer that can be read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from dolmino_cli.errors import ConfigError
from dolmino_cli.tokenizer.identity import resolve
from dolmino_cli.tokenizer.pieces import Pieces, pieces_of
from tests.tokenizer.make import CL100K, byte_fallback, byte_level, unigram

HARD = ["plain words, twice  two\n\n\tand", "日本語 ☃ 🎉🎉 e\u0301 é", "\x00\x01\u200b", "", "<|endoftext|>", "1234567 x=y**2"]


def pieces(path: Path) -> Pieces:
    return pieces_of(resolve(str(path), eos_required=False))


def ids(path: Path, text: str) -> list[int]:
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("text", HARD)
def test_byte_level_tokens_are_the_text(tmp_path: Path, text: str) -> None:
    path = byte_level(tmp_path / "tokenizer.json", pattern=CL100K)
    assert pieces(path).join(ids(path, text)) == text.encode()


@pytest.mark.parametrize("text", HARD[:3])
def test_sentencepiece_tokens_are_the_text_with_a_space_before_it(tmp_path: Path, text: str) -> None:
    path = byte_fallback(tmp_path / "tokenizer.json", prepend="always")
    assert pieces(path).join(ids(path, text)) == f" {text}".encode()


def test_special_tokens_and_ids_of_no_token(tmp_path: Path) -> None:
    found = pieces(byte_level(tmp_path / "tokenizer.json"))
    assert (found.of(0), found.of(1)) == (b"<|endoftext|>", b"<|pad|>")
    assert (found.of(10**6), found.of(-1)) == (b"", b"")
    assert found.longest >= len(b"<|endoftext|>")
    assert b"dog" in b"".join(pieces(unigram(tmp_path / "u.json")).of(n) for n in range(200))


def test_real_tokenizers_give_text_back(shared_data: Path) -> None:
    for name in ("allenai_dolma2.json", "allenai_gpt-neox-olmo-dolma-v1_5.json", "llm-jp_ver2.2_code10K_en20K_ja30K.json"):
        path = shared_data / "tokenizers" / name
        text = "The quick  brown fox;\n\n 12345 日本語 ☃ 🎉 <|endoftext|>"
        assert pieces(path).join(ids(path, text)).decode().lstrip(" ") == text


def test_a_tokenizer_that_loses_text_is_refused(tmp_path: Path) -> None:
    path = byte_level(tmp_path / "tokenizer.json")
    content = json.loads(path.read_text())
    content["pre_tokenizer"], content["decoder"] = {"type": "BertPreTokenizer"}, {"type": "WordPiece", "prefix": "##"}
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="cannot be turned back into exact text"):
        pieces(path)
