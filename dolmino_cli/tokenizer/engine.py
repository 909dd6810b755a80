"""Engine: a batch of texts in, the exact ids of Hugging Face `tokenizers` out, by the fastest engine that gives them.

The fast engine is young. So it is pinned, compared with `tokenizers` on a hard set before it is trusted with a tokenizer, and on
a sample of every retokenization (`check_sample`); where it can't load a tokenizer or differs, `tokenizers` itself is used and
that is said. That it passed is noted in the cache: loading `tokenizers` beside it takes as long as the fast engine itself.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import multiprocessing
import platform
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.shards.model_cache import make_once
from dolmino_cli.shards.storage import cache_folder
from dolmino_cli.tokenizer import hard_set
from dolmino_cli.tokenizer.byte_level import is_byte_level, longest_token_bytes
from dolmino_cli.tokenizer.fast import Fast, NotSupportedError, SeparatorInTextError
from dolmino_cli.tokenizer.identity import TokenizerIdentity, resolve
from dolmino_cli.tokenizer.reference import Reference, SpecialTokens
from dolmino_cli.tokenizer.tokens import Tokens

EngineName = Literal["auto", "gigatoken", "tokenizers"]
log = logging.getLogger(__name__)

# Of one batch in four, and of every shard's first, one byte in eight thousand and the beginning of one document at least is
# encoded a second time by `tokenizers`, which is 50 to 200 times slower (its own cache stays cold): below 1 % of a run.
_SAMPLE_EVERY = 4
_SAMPLE_SHARE = 1 / 8000
_SAMPLE_CHARACTERS = 250  # of one document


class Engine:
    """Encodes batches with one tokenizer. Made by `load_engine`.

    `description` says which library and version gives the ids, and why not the fast one where that is so.
    `byte_level`: the bytes of a document's tokens, put together, are exactly the document's bytes.
    """

    def __init__(self, identity: TokenizerIdentity, special_tokens: SpecialTokens, fast: Fast | None, description: str) -> None:
        self.identity, self.description = identity, description
        self._special_tokens, self._fast = special_tokens, fast

    @functools.cached_property
    def _reference(self) -> Reference:
        return Reference(self.identity, self._special_tokens)

    @functools.cached_property
    def byte_level(self) -> bool:
        """Whether it is so by the tokenizer's parts, and was seen to be so on the hard set."""
        return is_byte_level(self.identity, self.encode)

    @functools.cached_property
    def max_token_bytes(self) -> int:
        """Bytes of the longest token: with `byte_level`, no token stands for more bytes of a document."""
        return longest_token_bytes(self.identity, byte_level=self.byte_level)

    def encode(self, text: pa.LargeStringArray) -> Tokens:
        """The ids of every document, no bos or eos added; one call per batch of a few MB is fastest."""
        if self._fast is not None:
            try:
                return self._fast.encode(text)
            except SeparatorInTextError:
                pass
        return self._reference.encode(text)

    def encode_ended(self, text: pa.LargeStringArray, end_id: int) -> Tokens:
        """As `encode`, with `end_id` after the ids of every document."""
        if self._fast is not None:
            try:
                return self._fast.encode_ended(text, end_id)
            except SeparatorInTextError:
                pass
        return self._reference.encode(text).ended(end_id)

    def check_sample(self, text: pa.LargeStringArray, tokens: Tokens, *, ended: bool, path: str, lines: pa.Int64Array) -> None:
        """Compare a small, fixed part of a batch with `tokenizers`; `tokens` are what `encode` (`encode_ended`) gave for it.

        Raises DataError naming the document where they differ: then no id of the run can be trusted.
        """
        if self._fast is None or not len(text):
            return
        first = lines[0].as_py()
        if first > 1 and first * 7919 // 8 % _SAMPLE_EVERY:
            return
        budget = text.nbytes * _SAMPLE_SHARE
        row = first * 7919 % len(text)  # anywhere in the batch, and the same in every run
        while budget > 0 and row < len(text):
            piece = pc.utf8_slice_codeunits(text.slice(row, 1), 0, _SAMPLE_CHARACTERS)
            shown = piece[0].as_py()
            whole = len(shown) < _SAMPLE_CHARACTERS
            ours = tokens.document(row)[: -1 if ended else None] if whole else self.encode(piece).ids
            if not np.array_equal(ours, self._reference.encode_one(shown)):
                raise DataError(
                    f"{self.description} gives other ids than tokenizers for this document (starts {shown[:40]!r}); "
                    "run again with --engine tokenizers, and please report it with the tokenizer and the document",
                    path=path,
                    line=lines[row].as_py(),
                )
            budget -= len(shown)
            row += 1


@functools.lru_cache(maxsize=4)
def load_engine(name_or_path: str, *, engine: EngineName = "auto", special_tokens: SpecialTokens = "text") -> Engine:
    """The engine for a tokenizer, one that gave the ids of `tokenizers` on the hard set; loaded once per process.

    "auto" and "gigatoken" fall back to `tokenizers`, with a warning and in `description`, when the fast engine can't load
    the tokenizer or differs anywhere. `special_tokens="text"` keeps the text of a special token as plain text (dolma's rule).
    """
    identity = resolve(name_or_path, eos_required=False)
    if engine == "tokenizers":
        return _by_reference(identity, special_tokens, Reference.description)
    fast, why_not = _trusted(identity, special_tokens)
    if fast is not None:
        return Engine(identity, special_tokens, fast, fast.description)
    if multiprocessing.parent_process() is None:  # Workers all find the same; the process that started them says it.
        log.warning("tokenizer %s: %s; using tokenizers, which gives the same ids some 30 times slower", identity.name, why_not)
    return _by_reference(identity, special_tokens, f"{Reference.description} ({why_not})")


def _by_reference(identity: TokenizerIdentity, special_tokens: SpecialTokens, description: str) -> Engine:
    engine = Engine(identity, special_tokens, None, description)
    assert engine._reference  # loaded now, so that a file that it refuses stops the run before it begins
    return engine


def _trusted(identity: TokenizerIdentity, special_tokens: SpecialTokens) -> tuple[Fast | None, str]:
    """The fast engine in the first way of calling it that passes the hard set, now or before; or None and why not."""
    texts = list(hard_set.strings(identity.added_tokens))
    # All that the outcome depends on: when any of it changes, it is found out again.
    facts = [Reference.description, Fast.description, identity.sha256, special_tokens, platform.machine(), *texts]
    note = cache_folder() / "engines" / hashlib.sha256("\0".join(facts).encode()).hexdigest()
    if note.is_file():
        try:
            return Fast(identity, special_tokens, joined=note.read_text(encoding="ascii") == "joined"), ""
        except NotSupportedError as error:
            return None, str(error)
    fast, why_not = _passing(identity, special_tokens, texts)
    if fast is not None:
        way = "joined" if fast.joined else "one by one"
        with suppress(StorageError):  # A cache that cannot be written costs time only.
            make_once(note, functools.partial(_write_text, way))
    return fast, why_not


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="ascii")


def _passing(identity: TokenizerIdentity, special_tokens: SpecialTokens, texts: Sequence[str]) -> tuple[Fast | None, str]:
    batch = pa.array(texts, pa.large_string())
    expected = Reference(identity, special_tokens).encode(batch)
    why_not = ""
    for joined in (True, False):
        try:
            fast = Fast(identity, special_tokens, joined=joined)
            given = fast.encode(batch)
        except NotSupportedError as error:
            return None, str(error)
        wrong = [text for row, text in enumerate(texts) if not np.array_equal(expected.document(row), given.document(row))]
        if not wrong:
            return fast, ""
        why_not = (
            f"{fast.description} differs on {len(wrong)} of the {len(texts)} texts of the hard set, such as {wrong[0][:30]!r}"
        )
    return None, why_not
