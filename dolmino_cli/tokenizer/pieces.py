"""The bytes that each token of a vocabulary stands for: ids become text without the tokenizer's own library, exactly.

For byte-level BPE (dolma2, GPT-NeoX, Llama 3) and for SentencePiece's kinds ("\u2581" for a space, <0x41> for a byte: LLM-jp,
Llama 2). Where the tokenizer normalizes (NFC, a space before the first word), this is the text as it was normalized.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import ConfigError
from dolmino_cli.tokenizer.byte_level import alphabet
from dolmino_cli.tokenizer.identity import TokenizerIdentity

_SPACE = "\u2581"
_BYTE = re.compile(r"<0x([0-9A-F]{2})>\Z")


@dataclass(frozen=True, eq=False)
class Pieces:
    """Token i stands for `data[offsets[i]:offsets[i + 1]]`; ids that no token has stand for nothing."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    def of(self, token_id: int) -> bytes:
        """The bytes of one token. An id beyond the vocabulary stands for nothing."""
        if not 0 <= token_id < len(self.offsets) - 1:
            return b""
        return self.data[self.offsets[token_id] : self.offsets[token_id + 1]].tobytes()

    @property
    def longest(self) -> int:
        """Bytes of the longest token."""
        return int(np.diff(self.offsets).max(initial=0))

    def join(self, ids: Iterable[int]) -> bytes:
        """The bytes of consecutive tokens."""
        return b"".join(self.of(token_id) for token_id in ids)


class _Model(msgspec.Struct):
    byte_fallback: bool = False


class _Parts(msgspec.Struct):
    model: _Model
    pre_tokenizer: dict[str, Any] | None = None
    decoder: dict[str, Any] | None = None


def pieces_of(identity: TokenizerIdentity) -> Pieces:
    """Of every token, added ones included. Raises ConfigError for a tokenizer of another kind (WordPiece)."""
    parts = msgspec.json.decode(identity.json_bytes, type=_Parts)
    kinds = _kinds(parts.pre_tokenizer) | _kinds(parts.decoder)
    added = {token.id: token.content.encode() for token in identity.added_tokens}
    texts = [""] * identity.vocabulary_size
    for text, token_id in identity.vocabulary().items():
        if token_id not in added:
            texts[token_id] = text
    if "ByteLevel" in kinds:
        # One call for all: a letter is a byte, so the lengths stay. A letter outside the alphabet becomes "?".
        letters = str.maketrans(alphabet())
        joined = "".join(texts).translate(letters).encode("latin-1", "replace")
        ends = np.cumsum([len(text) for text in texts]).tolist()
        pieces = [joined[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    elif parts.model.byte_fallback or "Metaspace" in kinds:
        pieces = [_sentencepiece(text) for text in texts]
    else:
        raise ConfigError(
            f"tokenizer {identity.name!r} (parts: {', '.join(sorted(kinds)) or 'none'}) cannot be turned back into exact text "
            "here; byte-level BPE and SentencePiece's kinds can"
        )
    for token_id, content in added.items():
        pieces[token_id] = content
    offsets = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=offsets[1:])
    return Pieces(np.frombuffer(b"".join(pieces), np.uint8), offsets)


def _kinds(part: dict[str, Any] | None) -> set[str]:
    """The types of a pre-tokenizer or decoder, and of those that it is a sequence of."""
    if part is None:
        return set()
    below = (one for name in ("pretokenizers", "decoders") for one in part.get(name, []))
    return {str(part.get("type"))}.union(*(_kinds(one) for one in below))


def _sentencepiece(text: str) -> bytes:
    byte = _BYTE.match(text)
    return bytes([int(byte[1], 16)]) if byte else text.replace(_SPACE, " ").encode()
