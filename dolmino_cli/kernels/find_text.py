"""Where a text stands in token ids, whatever tokens it was cut into: a search of ids that is exact about bytes.

One byte of the text, the anchor, is covered by exactly one token wherever the text stands. Which tokens of the vocabulary can
cover it, and how they then lie over the text, is worked out first (`alignments`: some tens of 100,000 tokens). So the scan
looks at one flag per token, and spells out the tokens to the left and right only where the flag is set.
"""

from __future__ import annotations

import numba
import numpy as np

_BLOCK = 64
_BYTES = "Array(u1, 1, 'C', readonly=True)"
_NUMBERS = "Array(i8, 1, 'C', readonly=True)"


@numba.njit(f"Tuple((i8[::1], i8[::1]))({_BYTES}, i8, {_BYTES}, {_NUMBERS}, i8)", cache=True, nogil=True)
def alignments(
    text: np.ndarray, anchor: int, data: np.ndarray, offsets: np.ndarray, barrier: int
) -> tuple[np.ndarray, np.ndarray]:
    """The ways in which tokens can cover byte `anchor` of `text` (uint8): (token ids, where in the text each begins).

    By token, rising. A begin below 0 is a token that starts before the text does. Token i stands for
    `data[offsets[i]:offsets[i + 1]]`; `barrier`, the end-of-text token, covers nothing.
    """
    ids, begins = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)]
    for token in range(len(offsets) - 1):
        if token == barrier:
            continue
        start, length = offsets[token], offsets[token + 1] - offsets[token]
        for inside in range(length):  # which byte of the token lies on the anchor
            if data[start + inside] != text[anchor]:
                continue
            begin = anchor - inside
            fits = True
            for byte in range(max(0, -begin), min(length, len(text) - begin)):
                if data[start + byte] != text[begin + byte]:
                    fits = False
                    break
            if fits:
                ids.append(np.int64(token))
                begins.append(np.int64(begin))
    return np.array(ids, np.int64), np.array(begins, np.int64)


@numba.njit(inline="always")
def _lies(data: np.ndarray, start: int, length: int, text: np.ndarray, begin: int) -> bool:
    """Does a token agree with the text where the two lie over each other, the token beginning at `begin` of the text?"""
    for byte in range(max(0, -begin), min(length, len(text) - begin)):  # noqa: SIM110 - numba has no generator here
        if data[start + byte] != text[begin + byte]:
            return False
    return True


@numba.njit
def _match(
    tokens: np.ndarray,
    place: int,
    text: np.ndarray,
    data: np.ndarray,
    offsets: np.ndarray,
    barrier: int,
    first: np.ndarray,
    begins: np.ndarray,
    found: np.ndarray,
    count: int,
) -> int:
    """Note every match whose anchor is covered by the token at `place`; `count` and how many these are."""
    vocabulary = len(offsets) - 1
    token = np.int64(tokens[place])
    for way in range(first[token], first[token + 1]):
        at, reached = place, begins[way]  # leftwards: text[reached:] is covered from token `at` on
        last, covered = place, reached + offsets[token + 1] - offsets[token]
        while reached > 0 and at > 0:
            at -= 1
            left = np.int64(tokens[at])
            if left == barrier or left >= vocabulary:
                break
            length = offsets[left + 1] - offsets[left]
            if not _lies(data, offsets[left], length, text, reached - length):
                break
            reached -= length
        while reached <= 0 and covered < len(text) and last + 1 < len(tokens):
            last += 1
            right = np.int64(tokens[last])
            if right == barrier or right >= vocabulary:
                break
            length = offsets[right + 1] - offsets[right]
            if not _lies(data, offsets[right], length, text, covered):
                break
            covered += length
        if reached > 0 or covered < len(text):
            continue
        if count < len(found):
            found[count, 0], found[count, 1] = at, -reached
        count += 1
    return count


@numba.njit(
    [
        f"Tuple((i8[:, ::1], i8))(Array({ids}, 1, 'C', readonly=True), {_BYTES}, {_BYTES}, {_NUMBERS}, i8,"
        f" {_BYTES}, {_NUMBERS}, {_NUMBERS}, i8)"
        for ids in ("u2", "u4")
    ],
    cache=True,
    nogil=True,
)
def find_text(
    tokens: np.ndarray,
    text: np.ndarray,
    data: np.ndarray,
    offsets: np.ndarray,
    barrier: int,
    flags: np.ndarray,
    first: np.ndarray,
    begins: np.ndarray,
    most: int,
) -> tuple[np.ndarray, int]:
    """Where `text` begins: for the first `most` times, (token, its byte) in an int64 array (n, 2); and how often in all.

    `begins[first[i]:first[i + 1]]` are the ways in which token i covers the anchor, `flags[i]` says whether there are
    some; it has one entry more, 0, for ids that are not in the vocabulary.
    In rising order. No match goes across `barrier` or an id that is not in the vocabulary.
    """
    found = np.empty((most, 2), np.int64)
    count = 0
    vocabulary = np.int64(len(flags) - 1)
    whole = len(tokens) - len(tokens) % _BLOCK
    for block in range(0, whole, _BLOCK):
        # No branch per token, and a length that the compiler knows: five times as fast. Few blocks have a flag.
        flagged = np.uint8(0)
        for place in range(block, block + _BLOCK):
            flagged |= flags[min(np.int64(tokens[place]), vocabulary)]
        if flagged:
            for place in range(block, block + _BLOCK):
                if flags[min(np.int64(tokens[place]), vocabulary)]:
                    count = _match(tokens, place, text, data, offsets, barrier, first, begins, found, count)
    for place in range(whole, len(tokens)):
        if flags[min(np.int64(tokens[place]), vocabulary)]:
            count = _match(tokens, place, text, data, offsets, barrier, first, begins, found, count)
    return found[: min(count, most)], count
