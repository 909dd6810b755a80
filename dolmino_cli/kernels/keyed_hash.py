"""SipHash-2-4 of many strings at once: the 64-bit keyed hash behind every random choice about documents.

A choice made by the hash of a document's id, under a key derived from names, is the same for any order of files, number
of workers, machine or byte order. SipHash (Aumasson and Bernstein, 2012) is a published function with published test
vectors, so any other program can make the same choice; keyed, its outputs for different purposes are independent.
"""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa

from dolmino_cli.buffers import text_buffers
from dolmino_cli.siphash import derive_key

__all__ = ["derive_key", "hash_strings"]


def hash_strings(strings: pa.LargeStringArray, key: bytes) -> np.ndarray:
    """SipHash-2-4 under the 16-byte `key` of each string's UTF-8 bytes, uint64, in order. Nulls are not allowed."""
    assert len(key) == 16, f"a SipHash key has 16 bytes, not {len(key)}"
    data, offsets = text_buffers(strings)
    hashes = np.empty(len(strings), np.uint64)
    _siphash_2_4(data, offsets, int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little"), hashes)
    return hashes


@numba.njit(inline="always")
def _rotate_left(word: np.uint64, bits: int) -> np.uint64:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


@numba.njit(inline="always")
def _round(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    v0 += v1
    v1 = _rotate_left(v1, 13) ^ v0
    v0 = _rotate_left(v0, 32)
    v2 += v3
    v3 = _rotate_left(v3, 16) ^ v2
    v0 += v3
    v3 = _rotate_left(v3, 21) ^ v0
    v2 += v1
    v1 = _rotate_left(v1, 17) ^ v2
    v2 = _rotate_left(v2, 32)
    return v0, v1, v2, v3


@numba.njit("void(Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), u8, u8, u8[::1])", cache=True, nogil=True)
def _siphash_2_4(data: np.ndarray, offsets: np.ndarray, key_0: np.uint64, key_1: np.uint64, out: np.ndarray) -> None:
    for row in range(len(out)):
        start, end = offsets[row], offsets[row + 1]
        v0 = key_0 ^ np.uint64(0x736F6D6570736575)
        v1 = key_1 ^ np.uint64(0x646F72616E646F6D)
        v2 = key_0 ^ np.uint64(0x6C7967656E657261)
        v3 = key_1 ^ np.uint64(0x7465646279746573)
        whole_words_end = end - (end - start) % 8
        for position in range(start, whole_words_end, 8):
            # Byte by byte is endianness-independent; the compiler makes one load of it.
            word = np.uint64(0)
            for i in range(8):
                word |= np.uint64(data[position + i]) << np.uint64(8 * i)
            v3 ^= word
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
            v0 ^= word
        word = np.uint64((end - start) & 0xFF) << np.uint64(56)
        for i in range(end - whole_words_end):
            word |= np.uint64(data[whole_words_end + i]) << np.uint64(8 * i)
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
        v2 ^= np.uint64(0xFF)
        for _ in range(4):
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        out[row] = v0 ^ v1 ^ v2 ^ v3
