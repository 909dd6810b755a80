"""Input of the classifier benchmark: web documents of a shard, a WordPiece tokenizer trained on it, a BERT of random weights.

Usage: python make_classifier.py SHARD.jsonl.zst DOCUMENTS FOLDER LAYERS HIDDEN
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import zstandard
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reading import read_shard

LEAST_BYTES = 200  # text messages are no web pages
VOCABULARY = 30_522  # Arctic-Embed-M's


def main(shard: str, documents: str, folder: str, layers: str, hidden: str) -> None:
    """Write FOLDER/model and FOLDER/documents.jsonl.zst (all web documents there are, repeated up to DOCUMENTS)."""
    rows = list(read_shard(Path(shard)))
    pages = [row for row in rows if row["source"] == "web" and len(row["text"].encode()) >= LEAST_BYTES] or rows
    words = BertWordPieceTokenizer(lowercase=True)
    words.train_from_iterator((row["text"][:20_000] for row in rows), vocab_size=VOCABULARY, show_progress=False)
    torch.manual_seed(0)
    size = int(hidden)
    config = BertConfig(
        vocab_size=VOCABULARY,
        num_labels=1,
        num_hidden_layers=int(layers),
        hidden_size=size,
        num_attention_heads=size // 64,
        intermediate_size=4 * size,
    )
    target = Path(folder)
    BertForSequenceClassification(config).save_pretrained(target / "model")
    BertTokenizerFast(tokenizer_object=words._tokenizer, model_max_length=512).save_pretrained(target / "model")
    chosen = [{**pages[number % len(pages)], "id": str(number)} for number in range(int(documents))]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen)
    (target / "documents.jsonl.zst").write_bytes(zstandard.compress(lines.encode(), 3))
    print(json.dumps({"documents": len(chosen), "text_bytes": sum(len(row["text"].encode()) for row in chosen)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
