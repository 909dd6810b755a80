"""SipHash-2-4 of one string, and the keys it is asked with, in plain Python.

`kernels.keyed_hash` gives the same numbers for many strings at once; its compiled code takes half a second to load, which is all
that a question about one document would wait for.
"""

from __future__ import annotations

import hashlib

_MASK = 2**64 - 1


def derive_key(*parts: str | int) -> bytes:
    """16 bytes that stand for `parts`: the first 16 of BLAKE2b (digest size 16) over each part's UTF-8 text, length first.

    The lengths (8 bytes, little-endian) keep ("ab", "c") and ("a", "bc") apart; an int is its decimal text.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(8, "little"))
        digest.update(text)
    return digest.digest()


def siphash(text: str, key: bytes) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012) under the 16-byte `key` of the text's UTF-8 bytes, an unsigned number."""
    assert len(key) == 16, f"a SipHash key has 16 bytes, not {len(key)}"
    data = text.encode()
    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    state = (low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573)
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v0, v1, v2, v3 = state
        state = _round(_round((v0, v1, v2, v3 ^ word)))
        state = (state[0] ^ word, *state[1:])
    state = (state[0], state[1], state[2] ^ 0xFF, state[3])
    for _ in range(4):
        state = _round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _round(state: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    v0, v1, v2, v3 = state
    v0 = (v0 + v1) & _MASK
    v1 = _rotated(v1, 13) ^ v0
    v0 = _rotated(v0, 32)
    v2 = (v2 + v3) & _MASK
    v3 = _rotated(v3, 16) ^ v2
    v0 = (v0 + v3) & _MASK
    v3 = _rotated(v3, 21) ^ v0
    v2 = (v2 + v1) & _MASK
    v1 = _rotated(v1, 17) ^ v2
    v2 = _rotated(v2, 32)
    return v0, v1, v2, v3


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _MASK
