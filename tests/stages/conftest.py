"""Small batches, and a folder of small fastText models of every kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from dolmino_cli.documents import Batch
from tests.stages.fasttext_files import write_model

MakeBatch = Callable[..., Batch]
WORDS = ["</s>", "the", "of", "and", "Zürich", "internationalisation", "internationalisations", "a", "__label_", "naïve", "1,000"]
TWO, FOUR = ["__label__hq", "__label__cc"], ["__label__a", "__label__b", "__label__c", "__label__d"]


def batch_of(*texts: str, records: list[dict[str, object]] | None = None) -> Batch:
    """Documents d1, d2, ... with these texts, as JSON lines 1, 2, ... of the shard in.jsonl."""
    ids = [f"d{number}" for number in range(1, len(texts) + 1)]
    more = records or [{} for _ in texts]
    raw = [json.dumps({"id": name, "text": text, **rest}).encode() for name, text, rest in zip(ids, texts, more, strict=True)]
    return Batch(
        shard="in.jsonl",
        id=pa.array(ids, pa.large_string()),
        text=pa.array(texts, pa.large_string()),
        record=pa.array(raw, pa.large_binary()),
        line=pa.array(range(1, len(texts) + 1), pa.int64()),
    )


@pytest.fixture
def make_batch() -> MakeBatch:
    return batch_of


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that can be folded (n1, n2, n3, four, wide, old) and others (hs, ova, ns, subwords, vectors)."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "n1.bin", WORDS[1:], TWO, word_ngrams=1)  # no </s>: some documents have no row at all
    write_model(folder / "n2.bin", WORDS, TWO)
    write_model(folder / "n3.bin", WORDS, TWO, word_ngrams=3)
    write_model(folder / "four.bin", WORDS, FOUR)
    write_model(folder / "wide.bin", WORDS, FOUR, word_ngrams=5, dim=7, buckets=1 << 16)
    write_model(folder / "old.bin", WORDS, TWO, version=11)
    write_model(folder / "hs.bin", WORDS, FOUR, loss="hs")
    write_model(folder / "ova.bin", WORDS, TWO, loss="ova")
    write_model(folder / "ns.bin", WORDS, TWO, loss="ns")
    write_model(folder / "subwords.bin", WORDS, TWO, maxn=3)
    write_model(folder / "vectors.bin", WORDS, [], supervised=False)
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folded models of the tests lie in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("DOLMINO_CACHE", str(folder))
        yield folder
