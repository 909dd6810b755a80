"""The fast engine: `gigatoken`, fed a whole batch as one text.

Documents are put one after another with a separator that we add to the tokenizer as a special token of our own: text on
its two sides never meets, and the separator's id marks where documents end. One call per batch, 1.5-2x the speed of a call
per document on short ones, and no awkward arrays (whose import alone costs 0.35 s).

gigatoken always turns the text of a special token into its id. To have it as text, as dolma has, the special tokens are
left out of the tokenizer.json that it gets.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.tokenizer.identity import AddedToken, TokenizerIdentity
from dolmino_cli.tokenizer.reference import SpecialTokens
from dolmino_cli.tokenizer.tokens import Ids, Offsets, Tokens

PINNED = "0.10.0"
# U+10FFFE is a noncharacter; a document that holds this text all the same is noticed by the count of separators.
_SEPARATOR = "\U0010fffedolmino: end of document\U0010fffe"
_NOTHING, _SEPARATOR_SCALAR = pa.scalar("", pa.large_string()), pa.scalar(_SEPARATOR, pa.large_string())


class NotSupportedError(Exception):
    """This tokenizer is not one that the fast engine can be trusted with; the text says why."""


class SeparatorInTextError(Exception):
    """A document of this batch holds the separator's own text: the batch needs `tokenizers`."""


class Fast:
    """Raises NotSupportedError at construction for what gigatoken can't load.

    `joined=False` makes a call per document, for tokenizers that treat the first word of a text unlike the others.
    """

    description = f"gigatoken {PINNED}"

    def __init__(self, identity: TokenizerIdentity, special_tokens: SpecialTokens, *, joined: bool) -> None:
        added = list(identity.added_tokens)
        if special_tokens == "text":
            kept = [token for token in added if not token.special]
            _refuse_overlap([token for token in added if token.special], kept)
            added = kept
        _refuse_single_words(added)
        self.joined, self._separator_id = joined, identity.vocabulary_size
        if joined:
            added.append(AddedToken(id=self._separator_id, content=_SEPARATOR, special=True))
        parts = msgspec.json.decode(identity.json_bytes, type=dict[str, msgspec.Raw])
        parts["added_tokens"] = msgspec.Raw(msgspec.json.encode(added))
        self._encode = _load(msgspec.json.encode(parts))

    def encode(self, text: pa.LargeStringArray) -> Tokens:
        """The ids of every document."""
        if not self.joined:
            return Tokens.of([self._encode(document.as_py()) for document in text])
        ids, ends = self._encode_joined(text)
        offsets = np.zeros(len(ends) + 1, np.int64)
        offsets[1:] = ends - np.arange(len(ends))
        return Tokens(ids[ids != self._separator_id], offsets)

    def encode_ended(self, text: pa.LargeStringArray, end_id: int) -> Tokens:
        """As `encode` with `end_id` after every document."""
        if not self.joined:
            return self.encode(text).ended(end_id)
        ids, ends = self._encode_joined(text)
        ids[ends] = end_id  # the separators become it, so nothing has to move
        return Tokens(ids, np.concatenate([np.zeros(1, np.int64), ends + 1]))

    def _encode_joined(self, text: pa.LargeStringArray) -> tuple[Ids, Offsets]:
        """The ids of all documents, a separator after each, and the places of the separators."""
        joined = pc.binary_join_element_wise(text, _NOTHING, _SEPARATOR_SCALAR)  # text + separator + nothing
        ids = self._encode(joined.buffers()[2].to_pybytes() if len(text) else b"")
        ends = np.flatnonzero(ids == self._separator_id)
        if len(ends) != len(text):
            raise SeparatorInTextError
        return ids, ends


def _load(tokenizer_json: bytes) -> Callable[[str | bytes], Ids]:
    try:
        installed = importlib.metadata.version("gigatoken")
        import gigatoken
    except ImportError:
        raise NotSupportedError("gigatoken is not installed") from None
    if installed != PINNED:
        raise NotSupportedError(f"gigatoken {installed} is installed, {PINNED} is the version that was checked")
    try:
        tokenizer = gigatoken.Tokenizer.from_json(tokenizer_json)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 — Rust's errors are of many kinds, and its panics no Exception.
        raise NotSupportedError(f"gigatoken cannot load it: {str(error).strip().splitlines()[0]}") from None
    return cast(Callable[[str | bytes], Ids], tokenizer.backend.encode)


def _refuse_single_words(added: Iterable[AddedToken]) -> None:
    """Stop where an added token stands for whole words only: the fast engine takes it within words too."""
    for token in added:
        if token.single_word:
            raise NotSupportedError(f"the added token {token.content!r} stands for a word of its own only")


def _refuse_overlap(left_out: Iterable[AddedToken], kept: Iterable[AddedToken]) -> None:
    """Stop where leaving a special token out could let another added token match in its place."""
    for special in left_out:
        for token in kept:
            a, b = special.content, token.content
            if a in b or b in a or _end_meets_start(a, b) or _end_meets_start(b, a):
                raise NotSupportedError(f"the special token {a!r} overlaps the added token {b!r}")


def _end_meets_start(left: str, right: str) -> bool:
    return any(left.endswith(right[:length]) for length in range(1, min(len(left), len(right))))
