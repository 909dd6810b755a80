"""`repeated_ngrams`: the paper's and the executed recipe's rule, windows, and the byte test that changes no score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.kernels.repetition import repeat_counts
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.stages import repeated_ngrams as module
from dolmino_cli.stages.keep import Keep
from dolmino_cli.stages.repeated_ngrams import RepeatedNgrams
from dolmino_cli.tokenizer.engine import load_engine
from tests.stages.conftest import MakeBatch


@pytest.fixture
def dolma2(shared_data: Path) -> str:
    return str(shared_data / "tokenizers" / "allenai_dolma2.json")


def word_times(count: int) -> str:
    """A text in which one token stands `count` times in a row (" dog" is a token of dolma2)."""
    return "Once" + " dog" * count + " barked."


def test_31_32_and_33_repeats_by_the_paper_and_by_the_recipe_that_was_run(dolma2: str, make_batch: MakeBatch) -> None:
    batch = make_batch(word_times(31), word_times(32), word_times(33))
    for count_from, scores in {3: [31, 32, 33], 32: [0, 32, 33], 33: [0, 0, 33]}.items():
        assert RepeatedNgrams(tokenizer=dolma2, into="r", count_from=count_from)(batch).to_pylist() == scores
    scores = RepeatedNgrams(tokenizer=dolma2, into="r", count_from=32)(batch)
    assert Keep(score="r", below=32).decide(scores, batch).tolist() == [True, False, False]
    assert Keep(score="r", at_most=32).decide(scores, batch).tolist() == [True, True, False]


def test_a_window_splits_a_repetition(dolma2: str, make_batch: MakeBatch) -> None:
    text = "é" + " dog" * 60
    batch = make_batch("short", text, "", text[:-80])
    scores = {
        window: RepeatedNgrams(tokenizer=dolma2, into="r", window_characters=window)(batch).to_pylist()
        for window in (None, 1000, 241, 121, 120)
    }
    # 121 code points are "é" and 30 dogs; the é is two bytes, which must not count twice.
    assert scores == {
        None: [0, 60, 0, 40],
        1000: [0, 60, 0, 40],
        241: [0, 60, 0, 40],
        121: [0, 30, 0, 30],
        120: [0, 29, 0, 29],
    }


def test_windows_are_tokenised_by_themselves(dolma2: str, make_batch: MakeBatch) -> None:
    text = "".join(f"{number} and so on; " for number in range(500)) + "ha" * 300
    for window in (50, 77, 4000):
        stage = RepeatedNgrams(tokenizer=dolma2, into="r", window_characters=window)
        pieces = [text[start : start + window] for start in range(0, len(text), window)]
        whole = RepeatedNgrams(tokenizer=dolma2, into="r")
        assert stage(make_batch(text))[0].as_py() == max(whole(make_batch(*pieces)).to_pylist())


def test_the_byte_test_changes_no_score_of_real_documents(
    dolma2: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (
        "junk/repeats-0000.jsonl.zst",
        "web/email_spam-0000.jsonl.zst",
        "math/hott-book-0000.jsonl.zst",
        "web/peps-0001.jsonl.zst",
    )
    engine = load_engine(dolma2)
    assert engine.byte_level, "otherwise nothing is tested here"
    scored = tested = 0
    for name in names:
        for batch, _ in read_batches(str(shared_data / name)):
            tokens = engine.encode(batch.text)
            exact = repeat_counts(tokens.ids, tokens.offsets, 13, 3)
            for count_from in (8, 32):
                stage = RepeatedNgrams(tokenizer=dolma2, into="r", count_from=count_from)
                found = stage(batch).to_numpy()
                assert found.tolist() == np.where(exact >= count_from, exact, 0).tolist()
                scored += int((found > 0).sum())
                tested += len(found)
    assert 40 < scored < tested / 2


def test_fewer_documents_are_tokenised_when_bytes_are_asked(
    dolma2: str, make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, seen = load_engine(dolma2), []
    encode = engine.encode
    monkeypatch.setattr(engine, "encode", lambda text: seen.append(text.to_pylist()) or encode(text))
    batch = make_batch("nothing repeats here", word_times(40), "")
    assert RepeatedNgrams(tokenizer=dolma2, into="r", count_from=32)(batch).to_pylist() == [0, 40, 0]
    assert seen == [[word_times(40)]]
    monkeypatch.setattr(module, "_PREFILTER_FROM", 99)
    assert RepeatedNgrams(tokenizer=dolma2, into="r", count_from=32)(batch).to_pylist() == [0, 40, 0]
    assert len(seen[1]) == 3
    assert RepeatedNgrams(tokenizer=dolma2, into="r")(batch).to_pylist()[1] == 40
    assert len(seen) == 2, "ids of the whole batch are made once and shared"


def test_no_documents(dolma2: str, make_batch: MakeBatch) -> None:
    assert RepeatedNgrams(tokenizer=dolma2, into="r")(make_batch()).to_pylist() == []


def test_a_tokenizer_that_is_not_byte_level_is_counted_by_its_tokens(shared_data: Path, make_batch: MakeBatch) -> None:
    llm_jp = str(shared_data / "tokenizers" / "llm-jp_ver2.2_code10K_en20K_ja30K.json")
    batch = make_batch("犬 " * 50, "nothing repeats")
    tokens = load_engine(llm_jp).encode(batch.text)
    exact = repeat_counts(tokens.ids, tokens.offsets, 13, 3).tolist()
    assert exact[0] > 40
    assert RepeatedNgrams(tokenizer=llm_jp, into="r", count_from=32)(batch).to_pylist() == exact


def test_wrong_numbers_are_refused() -> None:
    for wrong in ({"count_from": 2}, {"max_period": 0}, {"window_characters": 0}):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}; it must be"):
            RepeatedNgrams(tokenizer="t", into="r", **wrong)
