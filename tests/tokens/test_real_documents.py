"""Every real document, from its file to the array: the ids are those of Hugging Face `tokenizers` and nothing is lost."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tokenizers

from dolmino_cli.shards.reading import read_batches
from dolmino_cli.tokens.retokenize import retokenize
from tests.tokens.make import documents_in


def document_files(shared_data: Path) -> list[Path]:
    with (shared_data / "MANIFEST.tsv").open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [shared_data / row["path"] for row in rows if row["kind"] == "docs"]


@pytest.mark.slow
def test_dolma2_ids_of_every_document_of_every_file(shared_data: Path, tmp_path: Path) -> None:
    files = document_files(shared_data)
    assert len(files) > 50
    path = shared_data / "tokenizers" / "allenai_dolma2.json"
    arrays = retokenize(
        [str(file) for file in files], tokenizer=str(path), output=str(tmp_path / "out"), tokens_per_file=4_000_000
    )
    assert arrays.engine == "gigatoken 0.10.0" and arrays.dtype == "uint32"
    definition = tokenizers.Tokenizer.from_file(str(path))
    definition.encode_special_tokens = True
    ours = iter(documents_in(arrays))
    read = 0
    for file in sorted(files, key=lambda file: file.name):
        for batch, _ in read_batches(str(file)):
            read += len(batch)
            rows = [(text.strip(), id, line) for text, id, line in zip(*_columns(batch.text, batch.id, batch.line), strict=True)]
            rows = [row for row in rows if row[0]]
            encoded = definition.encode_batch_fast([text for text, _, _ in rows], add_special_tokens=False)
            for (_, id, line), encoding in zip(rows, encoded, strict=True):
                assert next(ours) == ([*encoding.ids, 100257], id, file.name, line)
    assert next(ours, None) is None
    assert read == arrays.totals["read"] == arrays.totals["documents"] + arrays.totals["empty"]


def _columns(*arrays: object) -> list[list[object]]:
    return [array.to_pylist() for array in arrays]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "eos"), [("allenai_gpt-neox-olmo-dolma-v1_5.json", None), ("llm-jp_ver2.2_code10K_en20K_ja30K.json", "<EOD|LLM-jp>")]
)
def test_other_real_tokenizers_on_some_real_files(shared_data: Path, tmp_path: Path, name: str, eos: str | None) -> None:
    path = shared_data / "tokenizers" / name
    names = ("multilingual/udhr-0000.jsonl.zst", "web/sms_spam-0000.jsonl.zst", "math/hott-book-0000.jsonl.zst")
    files = [shared_data / file for file in names]
    arrays = retokenize([str(file) for file in files], tokenizer=str(path), output=str(tmp_path / "out"), eos=eos)
    definition = tokenizers.Tokenizer.from_file(str(path))
    definition.encode_special_tokens = True
    wanted = []
    for file in sorted(files, key=lambda file: file.name):
        texts = [text.strip() for batch, _ in read_batches(str(file)) for text in batch.text.to_pylist()]
        encoded = definition.encode_batch([text for text in texts if text], add_special_tokens=False)
        wanted += [[*encoding.ids, arrays.tokenizer.eos_id] for encoding in encoded]
    assert arrays.dtype == "uint16" and [ids for ids, *_ in documents_in(arrays)] == wanted
    assert np.fromfile(tmp_path / "out" / arrays.files[0].name, "<u2").max() < arrays.tokenizer.vocabulary_size
