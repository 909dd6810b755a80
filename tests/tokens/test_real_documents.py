"""Every real document, from its file to the array: the ids are those of Hugging Face `tokenizers` and nothing is lost."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tokenizers

from dolmino_cli.shards.reading import read_batches
from dolmino_cli.tokens.retokenize import retokenize
from tests.tokens.make import documents_in, read_documents


def document_files(shared_data: Path) -> list[Path]:
    with (shared_data / "MANIFEST.tsv").open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [shared_data / row["path"] for row in rows if row["kind"] == "docs"]


@pytest.mark.slow
def test_dolma2_ids_of_every_document_of_every_file(shared_data: Path, tmp_path: Path) -> None:
    files = document_files(shared_data)
    assert len(files) > 40
    path = shared_data / "tokenizers" / "allenai_dolma2.json"
    arrays = retokenize(
        [str(file) for file in files], tokenizer=str(path), output=str(tmp_path / "out"), tokens_per_file=4_000_000
    )
    assert arrays.engine == "gigatoken 0.10.0" and arrays.dtype == "uint32"
    definition = tokenizers.Tokenizer.from_file(str(path))
    definition.encode_special_tokens = True
    ours = read_documents(arrays)
    read = 0
    for file in sorted(files, key=lambda file: file.name):
        for batch, _ in read_batches(str(file)):
            read += len(batch)
            texts = [text.strip() for text in batch.text.to_pylist()]
            encoded = definition.encode_batch_fast([text for text in texts if text], add_special_tokens=False)
            wanted = iter(encoded)
            for text, id, line in zip(texts, batch.id.to_pylist(), batch.line.to_pylist(), strict=True):
                if text:
                    ids, *where = next(ours)
                    assert where == [id, file.name, line]
                    assert np.array_equal(ids[:-1], next(wanted).ids) and ids[-1] == 100257
    assert next(ours, None) is None
    assert read == arrays.totals["read"] == arrays.totals["documents"] + arrays.totals["empty"] > 80_000


@pytest.mark.parametrize(
    ("name", "eos"), [("allenai_gpt-neox-olmo-dolma-v1_5.json", None), ("llm-jp_ver2.2_code10K_en20K_ja30K.json", "<EOD|LLM-jp>")]
)
def test_other_real_tokenizers_on_some_real_files(shared_data: Path, tmp_path: Path, name: str, eos: str | None) -> None:
    path = shared_data / "tokenizers" / name
    names = ("multilingual/udhr-0000.jsonl.zst", "web/sms_spam-0000.jsonl.zst", "academic/acl_abstracts-0000.jsonl.gz")
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
