"""A text is found in ids for every byte that may be the anchor: the same places as in the bytes that the ids spell."""

from __future__ import annotations

import numpy as np
import pytest

from dolmino_cli.kernels.find_text import alignments, find_text

VOCABULARY = [b"a", b"b", b"ab", b"ba", b"aab", b"<e>", b"", b"\xe6", b"\x97\xa5", b"c<", b"e>", b"abcab"]
EOS = 5


def search(ids: np.ndarray, text: bytes, anchor: int, most: int = 1000) -> tuple[list[list[int]], int]:
    data = np.frombuffer(b"".join(VOCABULARY), np.uint8)
    offsets = np.cumsum([0, *map(len, VOCABULARY)])
    wanted = np.frombuffer(text, np.uint8)
    tokens, begins = alignments(wanted, anchor, data, offsets, EOS)
    first = np.searchsorted(tokens, np.arange(len(VOCABULARY) + 1))
    flags = np.append(np.diff(first) > 0, False).astype(np.uint8)
    rows, count = find_text(ids, wanted, data, offsets, EOS, flags, first, begins, most)
    return rows.tolist(), count


def by_hand(ids: np.ndarray, text: bytes) -> list[list[int]]:
    """Token and byte in it where the text begins; documents end at eos, and at ids that are no token's."""
    found, start = [], 0
    for end in [*np.flatnonzero((ids == EOS) | (ids >= len(VOCABULARY))).tolist(), len(ids)]:
        pieces = [VOCABULARY[token] for token in ids[start:end].tolist()]
        spelt, ends, at = b"".join(pieces), np.cumsum([len(piece) for piece in pieces]), -1
        while (at := spelt.find(text, at + 1)) >= 0:
            token = int(np.searchsorted(ends, at, side="right"))
            found.append([start + token, at - (int(ends[token - 1]) if token else 0)])
        start = end + 1
    return found


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize("text", [b"a", b"ab", b"abab", b"aabab", b"bcabab", "日".encode(), b"<e>", b"a<e>b", b"c<e>a", b"zz"])
def test_every_anchor_finds_what_the_bytes_have(text: bytes, dtype: type[np.unsignedinteger]) -> None:
    ids = np.random.default_rng(1).integers(0, len(VOCABULARY) + 2, 3000).astype(dtype)
    wanted = by_hand(ids, text)
    assert bool(wanted) == (text not in (b"a<e>b", b"zz"))
    for anchor in range(len(text)):
        assert search(ids, text, anchor) == (wanted[:1000], len(wanted))
    assert search(ids, text, 0, most=2) == (wanted[:2], len(wanted))
