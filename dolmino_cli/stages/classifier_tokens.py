"""Texts to the ids that a classifier reads: truncated, in threads ahead of the model, long texts only as far as needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.errors import ConfigError, first_line

_CHUNK_DOCUMENTS = 128  # one call of the tokenizer, in one thread
_WINDOW_CHUNKS = 16
# English has 4.5 characters to a WordPiece; of a text where so many are not enough, four times as many are tokenized.
_HEAD_CHARACTERS_PER_TOKEN = 6
_LONGER_HEAD = 4


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Ids (int32) of consecutive documents; document i has `ids[offsets[i] : offsets[i + 1]]`, special tokens included."""

    ids: np.ndarray
    offsets: np.ndarray


class ClassifierTokenizer:
    """The tokenizer of a model folder, truncating to `max_tokens` ids with special tokens, as the folder's own does."""

    def __init__(self, folder: Path, *, max_tokens: int, threads: int) -> None:
        from transformers import AutoTokenizer

        if not (folder / "tokenizer.json").is_file():
            # transformers would go on with an empty vocabulary.
            raise ConfigError(
                f"classifier: {folder} holds no tokenizer.json; write one beside the model with transformers: "
                "AutoTokenizer.from_pretrained(...).save_pretrained(folder)"
            )
        try:
            loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        except Exception as error:  # noqa: BLE001 — transformers raises many kinds for files that are missing or damaged.
            cause = first_line(error)
            raise ConfigError(f"classifier: {folder} has no tokenizer that can be loaded ({cause})") from None
        if not loaded.is_fast or loaded.pad_token_id is None:
            lacks = "a pad token" if loaded.is_fast else "a fast tokenizer (tokenizer.json)"
            raise ConfigError(f"classifier: the tokenizer of {folder} lacks {lacks}; give a BERT-style model")
        if max_tokens > loaded.model_max_length:
            raise ConfigError(f"classifier: max_tokens {max_tokens} is more than the {loaded.model_max_length} of {folder}")
        self.pad_id = int(loaded.pad_token_id)
        self._max_tokens, self._threads = max_tokens, threads
        self._tokenizer: Any = loaded.backend_tokenizer
        self.sha256 = hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()
        whole_words = _cuts_at_spaces(json.loads(self._tokenizer.to_str())) and loaded.truncation_side == "right"
        self._head_characters = _HEAD_CHARACTERS_PER_TOKEN * max_tokens if whole_words else None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens, direction=loaded.truncation_side)

    def windows(self, text: pa.LargeStringArray) -> Iterator[Encoded]:
        """The documents in order, some 2,000 at a time; the following ones are tokenized while the caller works."""
        starts = range(0, len(text), _CHUNK_DOCUMENTS)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="tokenize") as pool:
            chunks = pool.map(lambda start: self._encode(text.slice(start, _CHUNK_DOCUMENTS)), starts)
            while window := list(islice(chunks, _WINDOW_CHUNKS)):
                rows = [ids for chunk in window for ids in chunk]
                lengths = np.fromiter(map(len, rows), np.int64, len(rows))
                yield Encoded(ids=np.concatenate(rows), offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))

    def _encode(self, text: pa.LargeStringArray) -> list[np.ndarray]:
        ids: list[np.ndarray] = [np.empty(0, np.int32)] * len(text)
        rows, characters = list(range(len(text))), self._head_characters
        while rows:
            heads, cut = _heads(text, characters)
            for row, found in zip(rows, self._tokenizer.encode_batch_fast(heads), strict=True):
                ids[row] = np.array(found.ids, np.int32)
            again = [place for place in cut if len(ids[rows[place]]) < self._max_tokens]
            text, rows = text.take(pa.array(again, pa.int64())), [rows[place] for place in again]
            characters = characters and _LONGER_HEAD * characters
        return ids


def _heads(text: pa.LargeStringArray, characters: int | None) -> tuple[list[str], list[int]]:
    """The first part of every text, of at most so many characters (None: all), and the documents of which that is not all.

    A head ends before a white space, where no word, pair of marks or special token goes on: if it makes `max_tokens` ids,
    they are the first of the whole text's.
    """
    if characters is None:
        return text.to_pylist(), []
    heads: list[str] = pc.utf8_slice_codeunits(text, 0, characters + 1).to_pylist()
    cut = [row for row, head in enumerate(heads) if len(head) > characters]
    for row in cut:
        heads[row] = heads[row][: max(heads[row].rfind(" "), heads[row].rfind("\n"), 0)]
    return heads, cut


def _cuts_at_spaces(tokenizer: dict[str, Any]) -> bool:
    """Whether each word is tokenized by itself: BERT's own normalizer, its splitting at white space, WordPiece, no odd tokens."""
    kinds = [(tokenizer.get(part) or {}).get("type") for part in ("normalizer", "pre_tokenizer", "model")]
    added = tokenizer.get("added_tokens") or []
    plain = not any(" " in token["content"] or "\n" in token["content"] or token.get("rstrip") for token in added)
    return kinds == ["BertNormalizer", "BertPreTokenizer", "WordPiece"] and plain
