"""An engine gives the ids of Hugging Face `tokenizers`, whatever the tokenizer; where it is not sure, it uses them."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from dolmino_cli.errors import DataError
from dolmino_cli.tokenizer import fast, hard_set
from dolmino_cli.tokenizer.engine import Engine, load_engine
from dolmino_cli.tokenizer.identity import resolve
from dolmino_cli.tokenizer.reference import Reference
from dolmino_cli.tokenizer.tokens import Tokens
from tests.tokenizer.make import CL100K, TEXTS, AddedToken, byte_fallback, byte_level, normalizers, unigram

FAST = "gigatoken 0.10.0"


def texts(*documents: str) -> pa.LargeStringArray:
    return pa.array(documents, pa.large_string())


def expected(path: Path | str, documents: list[str], special: str = "text") -> list[list[int]]:
    """By the definition, with nothing of ours between."""
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = special == "text"
    return [tokenizer.encode(document, add_special_tokens=False).ids for document in documents]


def lists(tokens: Tokens) -> list[list[int]]:
    return [tokens.document(row).tolist() for row in range(len(tokens))]


KINDS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "gpt2": (lambda path: byte_level(path), FAST),
    "gpt2_prefix_space": (lambda path: byte_level(path, prefix_space=True), FAST),
    "cl100k": (lambda path: byte_level(path, pattern=CL100K), FAST),
    "nfc": (lambda path: byte_level(path, normalizer=normalizers.NFC()), FAST),
    "added": (lambda path: byte_level(path, pattern=CL100K, added=[AddedToken("<tool>"), AddedToken("|||X|||")]), FAST),
    "first": (lambda path: byte_fallback(path, prepend="first"), FAST),
    "always": (lambda path: byte_fallback(path, prepend="always"), FAST),
    "never": (lambda path: byte_fallback(path, prepend="never"), FAST),
    "single_word": (lambda path: byte_level(path, added=[AddedToken("foo", single_word=True)]), "tokenizers"),
    "within": (lambda path: byte_level(path, added=[AddedToken("ain", single_word=True)]), "tokenizers"),
    "lstrip": (lambda path: byte_level(path, added=[AddedToken("foo", lstrip=True, rstrip=True)]), FAST),
    "digits": (lambda path: byte_level(path, pattern=CL100K, digits=True), "tokenizers"),
    "overlap": (lambda path: byte_level(path, added=[AddedToken("|>x")]), "tokenizers"),
    "pattern": (lambda path: byte_level(path, pattern=r"\p{L}+|[^\p{L}]+"), "tokenizers"),
    "unigram": (lambda path: unigram(path), "tokenizers"),
}


@pytest.mark.parametrize("special", ["text", "token"])
@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_tokenizers_for_every_kind(kind: str, special: str, tmp_path: Path) -> None:
    make, engine_used = KINDS[kind]
    path = make(tmp_path / "tokenizer.json")
    engine = load_engine(str(path), special_tokens=special)  # type: ignore[arg-type]
    documents = [*hard_set.strings(engine.identity.added_tokens), *random_strings(300, seed=7), *TEXTS[:4], "  12"]
    if kind != "overlap" or special == "text":
        assert engine.description.split(" (")[0].startswith(engine_used)
    assert lists(engine.encode(texts(*documents))) == expected(path, documents, special)


@pytest.mark.parametrize(
    "name", ["allenai_dolma2.json", "allenai_gpt-neox-olmo-dolma-v1_5.json", "llm-jp_ver2.2_code10K_en20K_ja30K.json"]
)
def test_ids_are_those_of_tokenizers_for_real_tokenizers(name: str, shared_data: Path) -> None:
    path = shared_data / "tokenizers" / name
    engine = load_engine(str(path))
    assert (engine.description == FAST) == ("llm-jp" not in name)
    documents = [*hard_set.strings(engine.identity.added_tokens), *random_strings(1500, seed=3)]
    assert lists(engine.encode(texts(*documents))) == expected(path, documents)


def random_strings(count: int, seed: int) -> list[str]:
    """Short strings of random code points, common and rare ones, and pieces that rules are about."""
    rng = random.Random(seed)
    pieces = [
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "'s",
        "'LL",
        "a",
        "The",
        "é",
        "e\u0301",
        "ſ",
        "K",
        "日",
        "👨‍👩‍👧",
        "1234",
        "٣",
        "\x00",
        "<|endoftext|>",
        "|||",
        "\u3000",
    ]

    def piece() -> str:
        if rng.random() < 0.6:
            return rng.choice(pieces)
        code = rng.choice([rng.randrange(0x80), rng.randrange(0x3000), rng.randrange(0x110000)])
        return chr(code) if not 0xD800 <= code < 0xE000 else "?"

    return ["".join(piece() for _ in range(rng.randrange(1, 40))) for _ in range(count)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return byte_level(tmp_path_factory.mktemp("small") / "tokenizer.json", pattern=CL100K)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_texts_in_any_batches(small: Path, documents: list[str]) -> None:
    engine = load_engine(str(small))
    wanted = expected(small, documents)
    assert lists(engine.encode(texts(*documents))) == wanted
    assert lists(engine.encode(texts("before", *documents, "after")[1:-1])) == wanted
    assert lists(engine.encode_ended(texts(*documents), 1)) == [[*ids, 1] for ids in wanted]


def test_ids_and_offsets_are_plain_arrays(small: Path) -> None:
    tokens = load_engine(str(small)).encode(texts("the dog", "", "a"))
    assert (tokens.ids.dtype, tokens.offsets.dtype, len(tokens)) == (np.uint32, np.int64, 3)
    assert tokens.offsets.tolist() == [0, len(tokens.document(0)), len(tokens.document(0)), len(tokens.ids)]


def test_the_text_of_a_special_token_is_text_unless_asked(small: Path) -> None:
    as_text = load_engine(str(small)).encode(texts("a<|endoftext|>b"))
    as_token = load_engine(str(small), special_tokens="token").encode(texts("a<|endoftext|>b"))
    assert 0 not in as_text.ids and as_token.ids.tolist()[1] == 0 and len(as_token.ids) == 3


def test_a_document_with_the_separators_own_text_is_still_right(small: Path) -> None:
    documents = ["one", f"two{fast._SEPARATOR}three", "four"]
    engine = load_engine(str(small))
    assert lists(engine.encode(texts(*documents))) == expected(small, documents)
    assert lists(engine.encode_ended(texts(*documents), 0)) == [[*ids, 0] for ids in expected(small, documents)]


def test_a_context_length_stored_in_the_file_does_not_cut_documents(tmp_path: Path) -> None:
    path = byte_level(tmp_path / "tokenizer.json")
    documents = ["a b c d e f g h i j k", "a"]
    whole = expected(path, documents)
    stored = tokenizers.Tokenizer.from_file(str(path))
    stored.enable_truncation(4)
    stored.enable_padding(length=9)
    stored.save(str(path))
    for name in ("gigatoken", "tokenizers"):
        engine = load_engine(str(path), engine=name)  # type: ignore[arg-type]
        assert lists(engine.encode(texts(*documents))) == whole


def test_the_fallback_is_announced_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = unigram(tmp_path / "tokenizer.json")
    with caplog.at_level(logging.WARNING):
        engine = load_engine(str(path))
    assert engine.description.startswith(f"tokenizers {tokenizers.__version__} (gigatoken cannot load it: ")
    assert "tokenizer.json: gigatoken cannot load it" in caplog.text and "using tokenizers" in caplog.text


def test_tokenizers_can_be_asked_for_and_then_nothing_is_announced(small: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load_engine(str(small), engine="tokenizers").description == f"tokenizers {tokenizers.__version__}"
    assert caplog.text == ""


def test_another_version_of_the_fast_engine_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = byte_level(tmp_path / "tokenizer.json")
    monkeypatch.setattr(fast, "PINNED", "0.9.0")
    assert "gigatoken 0.10.0 is installed, 0.9.0 is the version that was checked" in load_engine(str(path)).description


def test_that_an_engine_passed_is_noted_and_nothing_else_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOLMINO_CACHE", str(tmp_path / "cache"))
    compared = []
    monkeypatch.setattr(
        Reference, "encode", lambda self, text, real=Reference.encode: compared.append(len(text)) or real(self, text)
    )
    path = byte_level(tmp_path / "tokenizer.json")
    engines = [load_engine.__wrapped__(str(path)) for _ in range(2)]
    assert len(compared) == 1, "the second load believes the first"
    assert [engine.description for engine in engines] == ["gigatoken 0.10.0"] * 2
    assert lists(engines[1].encode(texts("the fox", "12"))) == lists(engines[0].encode(texts("the fox", "12")))
    load_engine.__wrapped__(str(path), special_tokens="token")
    assert len(compared) == 2, "what depends on something else is compared"
    refused = unigram(tmp_path / "other.json")
    assert load_engine.__wrapped__(str(refused)).description.startswith("tokenizers")
    assert len(list((tmp_path / "cache/engines").iterdir())) == 2, "a refusal is found out again every time"


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DOLMINO_CACHE", str(tmp_path / "file"))
    path = byte_level(tmp_path / "tokenizer.json")
    assert load_engine.__wrapped__(str(path)).description == "gigatoken 0.10.0"


def test_one_wrong_id_on_the_hard_set_and_the_fast_engine_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOLMINO_CACHE", str(tmp_path / "cache"))
    path = byte_level(tmp_path / "tokenizer.json")
    monkeypatch.setattr(
        fast.Fast, "encode", lambda self, text, real=fast.Fast.encode: wrong_for("Hello, world!", text, real(self, text))
    )
    description = load_engine(str(path)).description
    assert description.startswith("tokenizers") and "differs on 1 of the" in description and "'Hello, world!'" in description


def wrong_for(document: str, text: pa.LargeStringArray, tokens: Tokens) -> Tokens:
    rows = [row for row, value in enumerate(text.to_pylist()) if value == document]
    for row in rows:
        tokens.ids[tokens.offsets[row]] += 1
    return tokens


def sampled(engine: Engine, documents: list[str], spoil: int | None, first: int = 1) -> None:
    text = texts(*documents)
    tokens = engine.encode_ended(text, 0)
    if spoil is not None:
        tokens.ids[tokens.offsets[spoil]] += 1
    lines = pa.array(np.arange(len(documents)) + first)
    engine.check_sample(text, tokens, ended=True, path="shard.jsonl", lines=lines)


def test_a_wrong_id_in_the_sample_of_a_run_stops_it(small: Path) -> None:
    engine = load_engine(str(small))
    documents = ["the dog", "the fox"]
    sampled(engine, documents, None)
    sampled(engine, documents, 0)  # not the document that this batch samples
    with pytest.raises(
        DataError, match=r"shard.jsonl:2: gigatoken 0.10.0 gives other ids .* \(starts 'the fox'\); .*--engine tokenizers"
    ):
        sampled(engine, documents, 1)


def test_one_batch_in_four_is_sampled(small: Path) -> None:
    engine = load_engine(str(small))
    refused = 0
    for first in range(2, 802):
        try:
            sampled(engine, ["the dog"], 0, first)
        except DataError:
            refused += 1
    assert 150 < refused < 250


def test_of_a_long_document_the_beginning_is_sampled(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load_engine(str(small))
    sampled(engine, ["the dog " * 1000], None)
    identity = resolve(str(small))
    spoilt = Engine(identity, "token", engine._fast, "spoilt")
    sampled(spoilt, ["the dog " * 1000 + "<|endoftext|>"], None)  # differs past the beginning only
    with pytest.raises(DataError, match="spoilt gives other ids"):
        sampled(spoilt, ["<|endoftext|>" + "the dog " * 1000], None)


def test_an_engine_is_loaded_once(small: Path) -> None:
    assert load_engine(str(small)) is load_engine(str(small))


@pytest.mark.parametrize(
    ("kind", "is_byte_level", "longest"),
    [
        ("gpt2", True, None),
        ("cl100k", True, None),
        ("added", True, 13),
        ("gpt2_prefix_space", False, None),
        ("nfc", False, None),
        ("never", False, None),
        ("unigram", False, None),
    ],
)
def test_byte_level_means_that_the_tokens_bytes_are_the_texts(
    kind: str, is_byte_level: bool, longest: int | None, tmp_path: Path
) -> None:
    engine = load_engine(str(KINDS[kind][0](tmp_path / "tokenizer.json")))
    assert engine.byte_level == is_byte_level
    if is_byte_level:
        longest_seen = max(
            len(document.encode()) / len(ids)
            for document, ids in zip(TEXTS_OF_ONE_WORD, lists(engine.encode(texts(*TEXTS_OF_ONE_WORD))), strict=True)
        )
        assert longest_seen <= engine.max_token_bytes
    if longest is not None:
        assert engine.max_token_bytes == longest  # <|endoftext|>


TEXTS_OF_ONE_WORD = ["the", " the", "argument", "здравствуй", "日本語"]


def test_dolma2_is_byte_level(shared_data: Path) -> None:
    engine = load_engine(str(shared_data / "tokenizers" / "allenai_dolma2.json"))
    assert (engine.byte_level, engine.max_token_bytes) == (True, 128)
    assert len(engine.encode(texts(" " * 128)).ids) <= 2
