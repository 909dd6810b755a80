"""A document's words and word n-grams as fastText reads them: which rows of the model's input matrix it has.

The steps are those of fastText 0.9.3 (dictionary.cc, supervised `getLine`): a document is one line; tokens end at space,
tab, line end, vertical tab, form feed, carriage return and NUL; the line end is the word `</s>`; a literal `</s>` ends the
line; a token that begins with `__label__` is no word; words outside the vocabulary have no row of their own but join the
n-grams.

Each step runs over a chunk of text before the next begins, and branches as little as it can: the processor then overlaps the
cache misses of a chunk's lookups, which is several times as fast as going token by token.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from dolmino_cli.kernels.loads import load_head, load_tail
from dolmino_cli.kernels.masks import BLOCK, bytes_in, lowest_bit
from dolmino_cli.kernels.uncounted import uncounted

CHUNK_BYTES = 4096
MOST_TOKENS = CHUNK_BYTES // 2 + 3  # of a chunk: every second byte separates, and two more at the line end
_FNV_OFFSET = 2166136261
_FNV_PRIME = 16777619
_NGRAM_FACTOR = 116049371
_FEWEST_BUCKETS = 1 << 15  # for `_remainder`
_LOW_32 = 0xFFFFFFFF
_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_LABEL_HEAD = int.from_bytes(b"__label_", "little")
# Of the word that ends every line: its length and hash, its first and its last bytes.
_EOS, _EOS_HEAD, _EOS_TAIL = 4 << 32 | 3617362777, int.from_bytes(b"</s>", "little"), int.from_bytes(b"</s>", "big")


class Tokens(NamedTuple):
    """A chunk's tokens: `keys` (length << 32 | hash), `heads` and `tails` (first and last 8 bytes, or all), `ends` in the text.

    Heads are little-endian numbers, tails big-endian.
    """

    keys: np.ndarray
    heads: np.ndarray
    tails: np.ndarray
    ends: np.ndarray


class Scratch(NamedTuple):
    """What the steps over a chunk write into besides their results."""

    separators: np.ndarray
    last_block: np.ndarray
    bounds: np.ndarray
    lengths: np.ndarray
    hashes: np.ndarray
    places: np.ndarray
    entries: np.ndarray
    slots: np.ndarray


def build_slots(word_bytes: np.ndarray, word_offsets: np.ndarray) -> np.ndarray:
    """An open-addressing table over the vocabulary, at most half full; a word is at row `hash % size` or the next free one.

    A row is (the word's tail, its length << 32 | its entry + 1, its head, 0), 0 if free: half a cache line.

    Head and tail are the word's first and last 8 bytes, so that for words of up to 16 bytes one comparison settles it, and words
    outside the vocabulary are told apart by their bytes, never by a hash alone.
    """
    words = len(word_offsets) - 1
    slots = np.zeros((max(16, 1 << (2 * words - 1).bit_length()), 4), np.uint64)
    _fill_slots(word_bytes, word_offsets, slots)
    return slots


@numba.njit("void(Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), u8[:, ::1])", cache=True, nogil=True)
def _fill_slots(word_bytes: np.ndarray, word_offsets: np.ndarray, slots: np.ndarray) -> None:
    mask = np.uint64(len(slots) - 1)
    for word in range(len(word_offsets) - 1):
        value, head, tail = np.uint64(_FNV_OFFSET), np.uint64(0), np.uint64(0)
        length = word_offsets[word + 1] - word_offsets[word]
        for i in range(length):
            byte = word_bytes[word_offsets[word] + i]
            value = (value ^ np.uint64(np.int8(byte))) * np.uint64(_FNV_PRIME)
            head |= np.uint64(byte) << np.uint64(8 * i) if i < 8 else np.uint64(0)
            tail = tail << np.uint64(8) | np.uint64(byte)
        row = value & mask
        while slots[row, 1] != 0:
            row = (row + np.uint64(1)) & mask
        slots[row, 0], slots[row, 1] = tail, np.uint64(length) << np.uint64(32) | np.uint64(word + 1)
        slots[row, 2] = head


@numba.njit(nogil=True)
def chunk_tokens() -> tuple[Tokens, Scratch]:
    """Room for the tokens of a chunk, and for the steps over it."""
    keys, heads, tails = np.empty(MOST_TOKENS, np.uint64), np.empty(MOST_TOKENS, np.uint64), np.empty(MOST_TOKENS, np.uint64)
    ends, places, entries = np.empty(MOST_TOKENS, np.int64), np.empty(MOST_TOKENS, np.int64), np.empty(MOST_TOKENS, np.int64)
    lengths, hashes = np.empty(MOST_TOKENS, np.uint32), np.empty(MOST_TOKENS, np.uint32)
    separators, last_block = np.empty(CHUNK_BYTES // BLOCK + 2, np.uint64), np.empty(BLOCK, np.uint8)
    bounds, slots = np.empty(2 * MOST_TOKENS, np.int64), np.empty((MOST_TOKENS, 4), np.uint64)
    return Tokens(keys, heads, tails, ends), Scratch(separators, last_block, bounds, lengths, hashes, places, entries, slots)


@uncounted
def split_chunk(data: np.ndarray, at: int, end: int, split_lines: bool, tokens: Tokens, scratch: Scratch) -> tuple[int, int]:
    """Tokens from `at` on into `tokens`: (their number, where the next chunk begins).

    A chunk ends between tokens, at the first place past its size, or at `end`. With `split_lines`, whatever Python's
    `str.splitlines` splits at separates too.
    """
    count, after = _token_bounds(data, at, end, split_lines, scratch)
    bounds, lengths, hashes, long_ones = scratch.bounds, scratch.lengths, scratch.hashes, scratch.places
    long = 0
    for token in range(count):
        start, stop = bounds[2 * token], bounds[2 * token + 1]
        length = stop - start
        whole = _ALL_BITS >> np.uint64(8 * max(0, 8 - length))
        tokens.heads[token] = load_head(data, start) & whole
        tokens.tails[token] = load_tail(data, stop) & whole
        tokens.ends[token] = stop
        lengths[token] = np.uint32(length)
        long_ones[long] = token
        long += length > 8
    _hash_heads(tokens.heads[:count], lengths[:count], hashes[:count])
    for token in long_ones[:long]:
        value = hashes[token]
        for place in range(bounds[2 * token] + 8, bounds[2 * token + 1]):
            value = _fnv_step(value, np.uint32(np.int32(np.int8(data[place]))))
        hashes[token] = value
    for token in range(count):
        tokens.keys[token] = np.uint64(lengths[token]) << np.uint64(32) | np.uint64(hashes[token])
    return count, after


@uncounted
def _token_bounds(data: np.ndarray, at: int, end: int, split_lines: bool, scratch: Scratch) -> tuple[int, int]:
    """Write start, end, start, end, ... of tokens; (number of tokens, where the chunk ends).

    A bit for each byte says whether it separates; where neighbours differ is a bound. So there is a branch for every 64 bytes
    that may be mispredicted, and none for every token.
    """
    stop = min(end, at + CHUNK_BYTES)
    while stop < end and data[stop] & 0xC0 == 0x80:  # no chunk ends inside a character
        stop += 1
    _find_separators(data, at, stop, split_lines, scratch)
    bounds = scratch.bounds
    count, before = 0, np.uint64(1)
    for block in range((stop - at + BLOCK - 1) // BLOCK):
        separators = scratch.separators[block]
        changes = separators ^ (separators << np.uint64(1) | before)
        before = separators >> np.uint64(BLOCK - 1)
        while changes:
            bounds[count] = at + block * BLOCK + lowest_bit(changes)
            changes &= changes - np.uint64(1)
            count += 1
    if count % 2:  # the last token goes on
        while stop < end and not _separates(data, stop, end, split_lines):
            stop += 1
        bounds[count] = stop
        count += 1
    return count // 2, stop


@uncounted
def _find_separators(data: np.ndarray, at: int, stop: int, split_lines: bool, scratch: Scratch) -> None:
    """A bit for each byte of data[at:stop] that separates; those behind `stop` are as the last byte."""
    separators, last_block = scratch.separators, scratch.last_block
    controls = np.uint8(3 if split_lines else 0)
    begins, ends = np.uint64(0), np.uint64(0)  # of longer separators, as far as one byte tells
    whole, rest = (stop - at) // BLOCK, (stop - at) % BLOCK
    for block in range(whole):
        first = at + block * BLOCK
        separators[block] = _single_separators(data, first, controls)
        begins |= _maybe_begins(data, first)
        ends |= _maybe_ends(data, first)
    if rest:
        for i in range(rest):
            last_block[i] = data[stop - rest + i]
        separators[whole] = _single_separators(last_block, 0, controls)
        begins |= _maybe_begins(last_block, 0)
        ends |= _maybe_ends(last_block, 0)
    if split_lines and begins and ends:
        for place in range(at, stop):
            if data[place] == 0xC2 or data[place] == 0xE2:
                for i in range(place - at, place - at + _long_separator(data, place, stop)):
                    separators[i // BLOCK] |= np.uint64(1) << np.uint64(i % BLOCK)
    if rest:
        behind = _ALL_BITS << np.uint64(rest)
        is_last = separators[whole] >> np.uint64(rest - 1) & np.uint64(1)
        separators[whole] = separators[whole] & ~behind | behind * is_last


@numba.njit(inline="always")
def _single_separators(text: np.ndarray, at: int, controls: np.uint8) -> np.uint64:
    blanks: np.uint64 = bytes_in(text, at, np.uint8(0x20), np.uint8(1)) | bytes_in(text, at, np.uint8(0x09), np.uint8(5))
    others: np.uint64 = bytes_in(text, at, np.uint8(0), np.uint8(1)) | bytes_in(text, at, np.uint8(0x1C), controls)
    return blanks | others


@numba.njit(inline="always")
def _maybe_begins(text: np.ndarray, at: int) -> np.uint64:
    places: np.uint64 = bytes_in(text, at, np.uint8(0xC2), np.uint8(1)) | bytes_in(text, at, np.uint8(0xE2), np.uint8(1))
    return places


@numba.njit(inline="always")
def _maybe_ends(text: np.ndarray, at: int) -> np.uint64:
    places: np.uint64 = bytes_in(text, at, np.uint8(0x85), np.uint8(1)) | bytes_in(text, at, np.uint8(0xA8), np.uint8(2))
    return places


@numba.njit(inline="always")
def _long_separator(data: np.ndarray, at: int, end: int) -> int:
    """Length of the separator of several bytes that begins at `at` (U+0085, U+2028, U+2029); 0 if there is none."""
    if data[at] == 0xC2:
        return 2 if at + 1 < end and data[at + 1] == 0x85 else 0
    return 3 if data[at] == 0xE2 and at + 2 < end and data[at + 1] == 0x80 and data[at + 2] & 0xFE == 0xA8 else 0


@numba.njit(inline="always")
def _separates(data: np.ndarray, at: int, end: int, split_lines: bool) -> bool:
    byte = data[at]
    if byte == 0x20 or 0x09 <= byte <= 0x0D or byte == 0:
        return True
    return split_lines and (0x1C <= byte <= 0x1E or _long_separator(data, at, end) > 0)


@numba.njit(inline="always")
def _fnv_step(value: np.uint32, byte: np.uint32) -> np.uint32:
    return np.uint32((value ^ byte) * np.uint32(_FNV_PRIME))


@uncounted
def _hash_heads(heads: np.ndarray, lengths: np.ndarray, hashes: np.ndarray) -> None:
    """fastText's hash, FNV-1a of signed bytes, of each token's first 8 bytes, or of a shorter one.

    Always eight steps and no branches: several tokens go through them in one instruction.
    """
    for token in range(len(heads)):
        value = np.uint32(_FNV_OFFSET)
        for half in range(2):
            four = np.uint32(heads[token] >> np.uint64(32 * half))
            for i in range(4):
                byte = np.uint32(np.int32(four << np.uint32(24 - 8 * i)) >> np.int32(24))
                value = _fnv_step(value, byte) if np.uint32(4 * half + i) < lengths[token] else value
        hashes[token] = value


@numba.njit(inline="always")
def close_line(tokens: Tokens, count: int, at: int) -> int:
    """Append the line end, which is the word `</s>`; the new number of tokens."""
    tokens.keys[count] = np.uint64(_EOS)
    tokens.heads[count], tokens.tails[count] = np.uint64(_EOS_HEAD), np.uint64(_EOS_TAIL)
    tokens.ends[count] = at
    return count + 1


@numba.njit(inline="always")
def _find_word(
    data: np.ndarray, tokens: Tokens, token: int, slots: np.ndarray, word_offsets: np.ndarray, word_bytes: np.ndarray
) -> np.int64:
    """The vocabulary entry with exactly the token's bytes, or -1."""
    key, tail, head = tokens.keys[token], tokens.tails[token], tokens.heads[token]
    length = np.int64(key >> np.uint64(32))
    mask = np.uint64(len(slots) - 1)
    at = key & mask
    while slots[at, 1] != 0:
        if slots[at, 0] == tail and slots[at, 2] == head and np.int64(slots[at, 1] >> np.uint64(32)) == length:
            word = np.int64(slots[at, 1] & np.uint64(_LOW_32)) - 1
            start, first = tokens.ends[token] - length, word_offsets[word]
            same = 8
            while same < length - 8 and data[start + same] == word_bytes[first + same]:
                same += 1
            if same >= length - 8:
                return word
        at = (at + np.uint64(1)) & mask
    return np.int64(-1)


@numba.njit(inline="always")
def _is_unknown_label(data: np.ndarray, tokens: Tokens, token: int) -> bool:
    length = np.int64(tokens.keys[token] >> np.uint64(32))
    if length < 9 or tokens.heads[token] != np.uint64(_LABEL_HEAD):
        return False
    return bool(data[tokens.ends[token] - length + 8] == np.uint8(ord("_")))


@uncounted
def _look_at_first_slots(tokens: Tokens, count: int, slots: np.ndarray, scratch: Scratch) -> int:
    """Entries of the tokens that the first slot settles: a word of up to 16 bytes stands there, or nothing does.

    The others' places are written; returns their number.
    """
    unsettled, entries, slots_of = scratch.places, scratch.entries, scratch.slots
    mask = np.uint64(len(slots) - 1)
    # Copied in a loop of its own, which has no branches, so that the processor overlaps the cache misses.
    for token in range(count):
        row = tokens.keys[token] & mask
        slots_of[token, 0], slots_of[token, 1] = slots[row, 0], slots[row, 1]
        slots_of[token, 2], slots_of[token, 3] = slots[row, 2], slots[row, 3]
    # No branch here either.
    left = 0
    for token in range(count):
        key, head, entry = tokens.keys[token], tokens.heads[token], slots_of[token, 1]
        entries[token] = np.int64(entry & np.uint64(_LOW_32)) - 1
        unsettled[left] = token
        same = (slots_of[token, 0] == tokens.tails[token]) & (slots_of[token, 2] == head) & ((entry ^ key) >> np.uint64(32) == 0)
        settled = (same & (key < np.uint64(17 << 32)) | (entry == 0)) & (head != np.uint64(_LABEL_HEAD))
        left += not settled
    return left


@uncounted
def look_up(
    data: np.ndarray,
    tokens: Tokens,
    count: int,
    vocabulary: tuple[np.ndarray, np.ndarray, np.ndarray],
    words: int,
    scratch: Scratch,
    rows: np.ndarray,
    hashes: np.ndarray,
    carried: int,
) -> tuple[int, int, bool]:
    """Rows of the tokens that are in the vocabulary, and the sign-extended hash of every word after the `carried` ones.

    Returns (rows, hashes with the carried ones, whether a literal `</s>` ended the line).
    """
    slots, word_offsets, word_bytes = vocabulary
    unsettled, entries = scratch.places, scratch.entries
    left = _look_at_first_slots(tokens, count, slots, scratch)
    for token in unsettled[:left]:
        word = _find_word(data, tokens, token, slots, word_offsets, word_bytes)
        entries[token] = words if word < 0 and _is_unknown_label(data, tokens, token) else word
    found = 0
    for token in range(count):
        word = entries[token]
        if word >= words:  # a label
            continue
        key = tokens.keys[token]
        rows[found] = word
        found += word >= 0
        hashes[carried] = np.uint64(np.int64(np.int32(np.uint32(key))))
        carried += 1
        if key == np.uint64(_EOS) and tokens.tails[token] == np.uint64(_EOS_TAIL):
            return found, carried, True
    return found, carried, False


@numba.njit(nogil=True, error_model="numpy")
def add_ngrams(
    hashes: np.ndarray, filled: int, ended: bool, longest: int, words: int, buckets: int, rows: np.ndarray, found: int
) -> tuple[int, int]:
    """Append the rows of the n-grams of 2..`longest` words, in fastText's order: by first word, then by length.

    Words whose n-grams reach beyond `filled` wait, unless the line `ended`. Returns (rows, words done).
    """
    done = filled if ended else max(0, filled - longest + 1)
    reciprocal = 1.0 / buckets if buckets >= _FEWEST_BUCKETS else 0.0
    if longest == 2:
        number = max(0, min(done, filled - 1))
        _add_bigrams(hashes, words, buckets, reciprocal, rows[found : found + number])
        return found + number, done
    for first in range(done):
        value = hashes[first]
        for last in range(first + 1, min(first + longest, filled)):
            value = value * np.uint64(_NGRAM_FACTOR) + hashes[last]
            rows[found] = words + _remainder(value, buckets, reciprocal)
            found += 1
    return found, done


@numba.njit(nogil=True, error_model="numpy", _nrt=False)
def _add_bigrams(hashes: np.ndarray, words: int, buckets: int, reciprocal: float, rows: np.ndarray) -> None:
    """The case that most models are, in a loop whose steps do not depend on each other: several go through one instruction."""
    for first in range(len(rows)):
        value = hashes[first] * np.uint64(_NGRAM_FACTOR) + hashes[first + 1]
        rows[first] = words + _remainder(value, buckets, reciprocal)


@numba.njit(inline="always")
def _remainder(value: np.uint64, buckets: int, reciprocal: float) -> np.int64:
    """value % buckets without a division, the slowest of all instructions; `reciprocal` is 0 where it must be divided."""
    if reciprocal == 0.0:
        return np.int64(value % np.uint64(buckets))
    # In float64 the quotient, below 2**49, is wrong by 1 at most.
    left = np.int64(value - np.uint64(np.int64(np.float64(value) * reciprocal)) * np.uint64(buckets))
    left += buckets if left < 0 else 0
    return left - (buckets if left >= buckets else 0)
