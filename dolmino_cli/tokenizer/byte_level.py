"""Whether a tokenizer's tokens are exactly the text's bytes, cut: byte-level BPE, no normalizer, no space put in front."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa

from dolmino_cli.tokenizer import hard_set
from dolmino_cli.tokenizer.identity import TokenizerIdentity
from dolmino_cli.tokenizer.tokens import Tokens


class _Model(msgspec.Struct):
    type: str = ""


class _Parts(msgspec.Struct):
    model: _Model
    normalizer: dict[str, Any] | None = None
    pre_tokenizer: dict[str, Any] | None = None


def is_byte_level(identity: TokenizerIdentity, encode: Callable[[pa.LargeStringArray], Tokens]) -> bool:
    """True when the parts are byte-level BPE's and every text of the hard set comes back from its tokens' bytes."""
    parts = msgspec.json.decode(identity.json_bytes, type=_Parts)
    if parts.model.type != "BPE" or parts.normalizer is not None or any(t.lstrip or t.rstrip for t in identity.added_tokens):
        return False
    listed = (parts.pre_tokenizer or {}).get("pretokenizers", [parts.pre_tokenizer or {}])
    byte_level = [part for part in listed if part.get("type") == "ByteLevel"]
    if not byte_level or any(part.get("add_prefix_space") for part in listed):
        return False
    texts = list(hard_set.strings(identity.added_tokens))
    tokens = encode(pa.array(texts, pa.large_string()))
    bytes_of = _token_bytes(identity, set(tokens.ids.tolist()))
    return all(
        b"".join(bytes_of.get(token, b"?") for token in tokens.document(row).tolist()) == text.encode()
        for row, text in enumerate(texts)
    )


def longest_token_bytes(identity: TokenizerIdentity, *, byte_level: bool) -> int:
    """Bytes of the longest token: of the text that it stands for when `byte_level`, else of its text in UTF-8."""
    if not byte_level:
        return max(len(text.encode()) for text in identity.vocabulary())
    added = {token.content for token in identity.added_tokens}
    return max(len(text.encode()) if text in added else len(text) for text in identity.vocabulary())


def _token_bytes(identity: TokenizerIdentity, wanted: set[int]) -> dict[int, bytes]:
    """What the tokens of these ids stand for; a letter outside the alphabet becomes "?"."""
    added = {token.id: token.content.encode() for token in identity.added_tokens}
    letters = str.maketrans(alphabet())
    return {
        token_id: text.translate(letters).encode("latin-1", "replace")
        for text, token_id in identity.vocabulary().items()
        if token_id in wanted
    } | added


def alphabet() -> dict[str, str]:
    """GPT-2's letters for bytes: printable Latin-1 stands for itself, the other bytes for the characters from U+0100 on."""
    itself = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in itself]
    return {chr(0x100 + place): chr(byte) for place, byte in enumerate(others)}
