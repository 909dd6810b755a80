"""The keyed hash is SipHash-2-4 exactly, and keys are derived from names so that no two purposes share one."""

from __future__ import annotations

import pyarrow as pa

from dolmino_cli.kernels.keyed_hash import derive_key, hash_strings
from dolmino_cli.siphash import siphash

KEY = bytes(range(16))
MASK = (1 << 64) - 1


def hashed(*strings: bytes, key: bytes = KEY) -> list[int]:
    column = pa.array(strings, pa.large_binary()).cast(pa.large_string())
    return [int(value) for value in hash_strings(column, key)]


def siphash_2_4(message: bytes, key: bytes) -> int:
    """The definition, written from the paper (Aumasson and Bernstein, 2012, section 2.1) one step per line."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(word: int, bits: int) -> int:
        return (word << bits | word >> (64 - bits)) & MASK

    def sip_round() -> None:
        for a, b, c, d, first, second in ((0, 1, 2, 3, 13, 16), (2, 1, 0, 3, 17, 21)):
            v[a] = (v[a] + v[b]) & MASK
            v[c] = (v[c] + v[d]) & MASK
            v[b] = rotate(v[b], first) ^ v[a]
            v[d] = rotate(v[d], second) ^ v[c]
            v[a] = rotate(v[a], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v[3] ^= word
        sip_round()
        sip_round()
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        sip_round()
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def test_the_published_vectors() -> None:
    # The paper's appendix A (15 bytes 00..0e under key 00..0f), then the reference implementation's first vectors.
    assert hashed(bytes(range(15))) == [0xA129CA6149BE45E5]
    assert [value.to_bytes(8, "little").hex() for value in hashed(b"", b"\0", b"\0\1", b"\0\1\2")] == [
        "310e0edd47db6f72",
        "fd67dc93c539f874",
        "5a4fa9d909806c0d",
        "2d7efbd796666785",
    ]


def test_every_length_agrees_with_the_definition() -> None:
    strings = [bytes(range(32, 32 + length)) for length in range(90)] + ["日本語のid-é".encode(), b"x" * 1000]
    assert hashed(*strings) == [siphash_2_4(string, KEY) for string in strings]
    other = derive_key("another", 7)
    assert hashed(*strings, key=other) == [siphash_2_4(string, other) for string in strings]


def test_a_slice_of_a_column_is_hashed_as_the_strings_it_holds() -> None:
    column = pa.array(["a", "bc", "", "def"], pa.large_string())
    assert hash_strings(column[1:3], KEY).tolist() == hashed(b"bc", b"")
    assert hash_strings(column[:0], KEY).tolist() == []


def test_derived_keys_are_pinned_and_keep_their_parts_apart() -> None:
    assert derive_key("dolmino mix selection", 42, "dclm").hex() == "20e2712f5cc7d007cc173b6b9a5f32b8"
    keys = [derive_key("ab", "c"), derive_key("a", "bc"), derive_key("abc"), derive_key("abc", ""), derive_key("ab", "d")]
    assert len(set(keys)) == 5
    assert derive_key("a", 1) == derive_key("a", "1")


def test_one_string_at_a_time_gives_the_same_numbers() -> None:
    texts = ["", *("abcdefghijklmnop"[:length] for length in range(1, 17)), "日本語", "x" * 300]
    for key in (bytes(16), bytes(range(16)), derive_key("dolmino mix order", 42, "dclm", 1)):
        assert [siphash(text, key) for text in texts] == hash_strings(pa.array(texts, pa.large_string()), key).tolist()
