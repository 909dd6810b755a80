"""A small BERT regression model of the real architecture, with a WordPiece tokenizer of its own, trained for a few steps."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

LESSON = "the cell divides energy light theory proof measure atoms history teacher explains because students learn".split()
SHOP = "buy cheap shoes click here offer free shipping discount login cookies subscribe banner casino deal now".split()
PLAIN = "and of a in to it was on for that with as café naïve 東京 3,14 e-mail don't (see) — so".split()


def text(dice: random.Random, *, value: float, words: int) -> str:
    """Words of lessons in the share value / 5, of a shop window otherwise, plain ones between."""
    chosen = [dice.choice(PLAIN if dice.random() < 0.4 else LESSON if dice.random() < value / 5 else SHOP) for _ in range(words)]
    return "".join(word + dice.choice([" ", " ", " ", "\n", ", ", ".\n\n"]) for word in chosen).strip()


def texts(count: int, *, seed: int, most_words: int = 90) -> tuple[list[str], np.ndarray]:
    """Texts of 1 to `most_words` words and the value of each, 0 to 5."""
    dice = random.Random(seed)
    values = [dice.uniform(0, 5) for _ in range(count)]
    return [text(dice, value=value, words=dice.randint(1, most_words)) for value in values], np.array(values, np.float32)


def train(folder: Path, *, labels: int = 1, steps: int = 120, positions: int = 64) -> Path:
    """Write a trained model to `folder`, as `save_pretrained` does."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast
    from transformers.utils import logging

    written, values = texts(32, seed=1)
    words = BertWordPieceTokenizer(lowercase=True)
    words.train_from_iterator(written, vocab_size=300, show_progress=False)
    tokenizer = BertTokenizerFast(tokenizer_object=words._tokenizer, model_max_length=positions)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(
        vocab_size=len(tokenizer), num_labels=labels, max_position_embeddings=positions, hidden_dropout_prob=0.0, **shape
    )
    model = BertForSequenceClassification(config)
    inputs = tokenizer(written, padding=True, truncation=True, max_length=positions, return_tensors="pt")
    goal = torch.tensor(values)[:, None] if labels == 1 else torch.tensor(values * labels / 5.001).long()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(**inputs, labels=goal).loss
        loss.backward()
        optimizer.step()
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def plain_forward(folder: Path, written: list[str], *, max_tokens: int = 64, batch: int = 7, **loading: Any) -> np.ndarray:
    """Logits (documents x labels) as a user of transformers computes them: batches in input order, padded to their longest."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, **loading).eval()
    found = []
    with torch.no_grad():
        for start in range(0, len(written), batch):
            some = written[start : start + batch]
            inputs = tokenizer(some, padding="longest", truncation=True, max_length=max_tokens, return_tensors="pt")
            found.append(model(**inputs).logits.float())
    logits: np.ndarray = torch.cat(found).numpy()
    return logits
