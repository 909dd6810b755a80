"""A document's words and word n-grams as fastText reads them: which rows of the model's input matrix it has.

The steps are those of fastText 0.9.3 (dictionary.cc, supervised `getLine`): a document is one line; tokens end at space,
tab, line end, vertical tab, form feed, carriage return and NUL; the line end is the word `</s>`; a literal `</s>` ends the
line; a token that begins with `__label__` is no word; words outside the vocabulary have no row of their own but join the
n-grams.

Each step runs over a chunk of text before the next begins, and branches as little as it can: the processor then overlaps the
cache misses of a chunk's lookups, which is 2.5x faster than going token by token.
"""

from __future__ import annotations

import numba
import numpy as np

from dolmino_cli.kernels.loads import load_head, load_u64, load_u64_swapped
from dolmino_cli.kernels.uncounted import uncounted

CHUNK_BYTES = 4096
MOST_TOKENS = CHUNK_BYTES // 2 + 3  # of a chunk: every second byte separates, and two more at the line end
_FNV_OFFSET = 2166136261
_FNV_PRIME = 16777619
_NGRAM_FACTOR = 116049371
_FEWEST_BUCKETS = 1 << 15  # for `_remainder`
_LOW_32 = 0xFFFFFFFF
_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_EOS_HASH, _EOS_TAIL = 3617362777, int.from_bytes(b"</s>", "big")  # of the word that ends every line


def build_slots(word_bytes: np.ndarray, word_offsets: np.ndarray) -> np.ndarray:
    """An open-addressing table over the vocabulary, at most half full; a word is at row `hash % size` or the next free one.

    A row is (the word's tail, its length << 32 | its entry + 1), 0 if free.

    The tail is the word's last 8 bytes as a big-endian number, so that for most words one comparison settles it and words
    outside the vocabulary are told apart by their bytes, never by a hash alone.
    """
    words = len(word_offsets) - 1
    slots = np.zeros((max(16, 1 << (2 * words - 1).bit_length()), 2), np.uint64)
    _fill_slots(word_bytes, word_offsets, slots)
    return slots


@numba.njit("void(Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), u8[:, ::1])", cache=True, nogil=True)
def _fill_slots(word_bytes: np.ndarray, word_offsets: np.ndarray, slots: np.ndarray) -> None:
    mask = np.uint64(len(slots) - 1)
    for word in range(len(word_offsets) - 1):
        value, tail = np.uint64(_FNV_OFFSET), np.uint64(0)
        length = word_offsets[word + 1] - word_offsets[word]
        for at in range(word_offsets[word], word_offsets[word + 1]):
            value = (value ^ np.uint64(np.int8(word_bytes[at]))) * np.uint64(_FNV_PRIME)
            tail = tail << np.uint64(8) | np.uint64(word_bytes[at])
        row = value & mask
        while slots[row, 1] != 0:
            row = (row + np.uint64(1)) & mask
        slots[row, 0], slots[row, 1] = tail, np.uint64(length) << np.uint64(32) | np.uint64(word + 1)


@numba.njit(nogil=True)
def chunk_scratch() -> tuple[np.ndarray, ...]:
    """What the steps over a chunk write into besides their results; see `split_chunk` and `look_up`."""
    separates, bounds = np.empty(CHUNK_BYTES + 16, np.uint8), np.empty(CHUNK_BYTES + 16, np.int64)
    places, entries = np.empty(MOST_TOKENS, np.int64), np.empty(MOST_TOKENS, np.int64)
    heads, slots = np.empty((4, MOST_TOKENS), np.uint32), np.empty((MOST_TOKENS, 2), np.uint64)
    return separates, bounds, places, entries, heads, slots


@uncounted
def split_chunk(
    data: np.ndarray, at: int, end: int, split_lines: bool, scratch: tuple[np.ndarray, ...], tokens: np.ndarray
) -> tuple[int, int]:
    """Tokens from `at` on, as rows (length << 32 | hash, tail, end): (their number, where the next chunk begins).

    A chunk ends between tokens, at the first place past its size, or at `end`. With `split_lines`, whatever Python's
    `str.splitlines` splits at separates too.
    """
    separates, bounds, places, _, heads, _ = scratch
    count, after = _token_bounds(data, at, end, split_lines, separates, bounds)
    long = 0
    for token in range(count):
        start, stop = bounds[2 * token], bounds[2 * token + 1]
        head = load_head(data, start)
        heads[0, token], heads[1, token] = np.uint32(head), np.uint32(head >> np.uint64(32))
        heads[2, token] = np.uint32(stop - start)
        tokens[token, 1] = _tail(data, start, stop)
        tokens[token, 2] = np.uint64(stop)
        places[long] = token
        long += stop - start > 8
    _hash_heads(heads[0, :count], heads[1, :count], heads[2, :count], heads[3, :count])
    for token in places[:long]:
        value = heads[3, token]
        for place in range(bounds[2 * token] + 8, bounds[2 * token + 1]):
            value = _fnv_step(value, np.uint32(np.int32(np.int8(data[place]))))
        heads[3, token] = value
    for token in range(count):
        tokens[token, 0] = np.uint64(heads[2, token]) << np.uint64(32) | np.uint64(heads[3, token])
    return count, after


@uncounted
def _token_bounds(
    data: np.ndarray, at: int, end: int, split_lines: bool, separates: np.ndarray, bounds: np.ndarray
) -> tuple[int, int]:
    """Write start, end, start, end, ... of tokens; (number of tokens, where the chunk ends).

    Whether a byte separates is found for all bytes first, many in one instruction. Then every byte writes the bound that a
    change between token and separator would make: a mispredicted branch per token would cost more than a few stores.
    """
    stop = min(end, at + CHUNK_BYTES)
    while stop < end and data[stop] & 0xC0 == 0x80:  # no chunk ends inside a character
        stop += 1
    size = stop - at
    if size == 0:
        return 0, at
    if _find_separators(data[at:stop], split_lines, separates):
        for place in range(at, stop):
            if data[place] == 0xC2 or data[place] == 0xE2:
                for i in range(_long_separator(data, place, end)):
                    separates[place - at + i] = 1
    separates[size : size + 8] = separates[size - 1]
    count, before = 0, np.uint64(1)
    for first in range(0, size, 8):
        eight = load_u64(separates, first)
        changes = eight ^ (eight << np.uint64(8) | before)
        for i in range(8):
            bounds[count] = at + first + i
            count += np.int64(changes >> np.uint64(8 * i) & np.uint64(1))  # type: ignore[assignment]
        before = eight >> np.uint64(56)
    if count % 2:  # the last token goes on
        while stop < end and not _separates(data, stop, end, split_lines):
            stop += 1
        bounds[count] = stop
        count += 1
    return count // 2, stop


@uncounted
def _find_separators(chunk: np.ndarray, split_lines: bool, separates: np.ndarray) -> bool:
    """1 into `separates` for each byte that separates by itself, else 0; whether a longer separator may be among them."""
    last_control = np.uint8(0x1E if split_lines else 0)
    first, last = False, False  # whether there are bytes that begin such a separator, and that end one
    for i in range(len(chunk)):
        byte = chunk[i]
        separates[i] = (
            (byte == np.uint8(0x20))
            | ((byte >= np.uint8(0x09)) & (byte <= np.uint8(0x0D)))
            | (byte == np.uint8(0))
            | ((byte >= np.uint8(0x1C)) & (byte <= last_control))
        )
        first |= (byte == np.uint8(0xC2)) | (byte == np.uint8(0xE2))
        last |= (byte == np.uint8(0x85)) | (byte == np.uint8(0xA8)) | (byte == np.uint8(0xA9))
    return split_lines and first and last


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
def _tail(data: np.ndarray, start: int, stop: int) -> np.uint64:
    """The token's last 8 bytes, or all of a shorter one, as a big-endian number."""
    length = stop - start
    tail = np.uint64(0)
    if stop >= 8:
        tail = load_u64_swapped(data, stop - 8) & (_ALL_BITS >> np.uint64(8 * max(0, 8 - length)))
    else:
        for at in range(start, stop):
            tail = tail << np.uint64(8) | np.uint64(data[at])
    return tail


@numba.njit(inline="always")
def _fnv_step(value: np.uint32, byte: np.uint32) -> np.uint32:
    return np.uint32((value ^ byte) * np.uint32(_FNV_PRIME))


@uncounted
def _hash_heads(low: np.ndarray, high: np.ndarray, lengths: np.ndarray, hashes: np.ndarray) -> None:
    """fastText's hash, FNV-1a of signed bytes, of each token's first 8 bytes (or fewer): `low` and `high` are four each.

    Always eight steps and no branches: several tokens go through them in one instruction.
    """
    for token in range(len(low)):
        value = np.uint32(_FNV_OFFSET)
        for i in range(4):
            byte = np.uint32(np.int32(low[token] << np.uint32(24 - 8 * i)) >> np.int32(24))
            value = _fnv_step(value, byte) if np.uint32(i) < lengths[token] else value
        for i in range(4):
            byte = np.uint32(np.int32(high[token] << np.uint32(24 - 8 * i)) >> np.int32(24))
            value = _fnv_step(value, byte) if np.uint32(4 + i) < lengths[token] else value
        hashes[token] = value


@numba.njit(inline="always")
def close_line(tokens: np.ndarray, count: int, at: int) -> int:
    """Append the line end, which is the word `</s>`; the new number of tokens."""
    tokens[count, 0] = np.uint64(4 << 32 | _EOS_HASH)
    tokens[count, 1] = np.uint64(_EOS_TAIL)
    tokens[count, 2] = np.uint64(at)
    return count + 1


@numba.njit(inline="always")
def _find_word(
    data: np.ndarray,
    token: np.ndarray,
    slots: np.ndarray,
    first_slot: np.ndarray,
    word_offsets: np.ndarray,
    word_bytes: np.ndarray,
) -> np.int64:
    """The vocabulary entry with exactly the token's bytes, or -1; `first_slot` is a copy of the row where the search begins."""
    mask = np.uint64(len(slots) - 1)
    length = token[0] >> np.uint64(32)
    slot_tail, slot_word = first_slot[0], first_slot[1]
    at = token[0]
    while slot_word != 0:
        if slot_tail == token[1] and slot_word >> np.uint64(32) == length:
            word = np.int64(slot_word & np.uint64(_LOW_32)) - 1
            before_tail = np.int64(length) - 8
            start, first = np.int64(token[2]) - np.int64(length), word_offsets[word]
            same = 0
            while same < before_tail and data[start + same] == word_bytes[first + same]:
                same += 1
            if same >= before_tail:
                return word
        at += np.uint64(1)
        slot_tail, slot_word = slots[at & mask, 0], slots[at & mask, 1]
    return np.int64(-1)


@numba.njit(inline="always")
def _is_unknown_label(data: np.ndarray, token: np.ndarray) -> bool:
    label = b"__label__"
    length = np.int64(token[0] >> np.uint64(32))
    start = np.int64(token[2]) - length
    if length < len(label) or data[start] != label[0]:
        return False
    for i in range(len(label)):  # noqa: SIM110 - numba has no all()
        if data[start + i] != label[i]:
            return False
    return True


@uncounted
def look_up(
    data: np.ndarray,
    tokens: np.ndarray,
    count: int,
    vocabulary: tuple[np.ndarray, np.ndarray, np.ndarray],
    words: int,
    scratch: tuple[np.ndarray, ...],
    rows: np.ndarray,
    hashes: np.ndarray,
    carried: int,
) -> tuple[int, int, bool]:
    """Rows of the tokens that are in the vocabulary, and the sign-extended hash of every word after the `carried` ones.

    Returns (rows, hashes with the carried ones, whether a literal `</s>` ended the line).
    """
    slots, word_offsets, word_bytes = vocabulary
    _, _, unsettled, entries, _, first_slots = scratch
    mask = np.uint64(len(slots) - 1)
    # Copied in a loop of its own, which has no branches, so that the processor overlaps the cache misses.
    for token in range(count):
        at = tokens[token, 0] & mask
        first_slots[token, 0], first_slots[token, 1] = slots[at, 0], slots[at, 1]
    # What the first slot settles: a word of up to 8 bytes stands there, or nothing does. No branch here either.
    left = 0
    for token in range(count):
        slot_tail, slot_word = first_slots[token, 0], first_slots[token, 1]
        length = tokens[token, 0] >> np.uint64(32)
        entries[token] = np.int64(slot_word & np.uint64(_LOW_32)) - 1
        unsettled[left] = token
        settled = (slot_tail == tokens[token, 1]) & (slot_word >> np.uint64(32) == length) | (slot_word == np.uint64(0))
        left += not (settled & (length <= np.uint64(8)))
    for token in unsettled[:left]:
        word = _find_word(data, tokens[token], slots, first_slots[token], word_offsets, word_bytes)
        entries[token] = words if word < 0 and _is_unknown_label(data, tokens[token]) else word
    found = 0
    for token in range(count):
        word = entries[token]
        if word >= words:  # a label
            continue
        rows[found] = word
        found += word >= 0
        hashes[carried] = np.uint64(np.int64(np.int32(np.uint32(tokens[token, 0]))))
        carried += 1
        if tokens[token, 1] == np.uint64(_EOS_TAIL) and tokens[token, 0] >> np.uint64(32) == np.uint64(4):
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
    for first in range(done):
        value = hashes[first]
        for last in range(first + 1, min(first + longest, filled)):
            value = value * np.uint64(_NGRAM_FACTOR) + hashes[last]
            rows[found] = words + _remainder(value, buckets, reciprocal)
            found += 1
    return found, done


@numba.njit(inline="always")
def _remainder(value: np.uint64, buckets: int, reciprocal: float) -> np.int64:
    """value % buckets without a division, the slowest of all instructions; `reciprocal` is 0 where it must be divided."""
    if reciprocal == 0.0:
        return np.int64(value % np.uint64(buckets))
    # In float64 the quotient, below 2**49, is wrong by 1 at most.
    left = np.int64(value - np.uint64(np.int64(np.float64(value) * reciprocal)) * np.uint64(buckets))
    left += buckets if left < 0 else 0
    return left - (buckets if left >= buckets else 0)
