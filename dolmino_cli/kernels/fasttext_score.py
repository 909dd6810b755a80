"""Score documents with a folded fastText model: one table lookup per word and word n-gram instead of a vector per each.

The steps are those of fastText 0.9.3 (dictionary.cc, supervised `getLine`): a document is one line; tokens end at space, tab,
line end, vertical tab, form feed, carriage return and NUL; the line end is the word `</s>`; a literal `</s>` ends the line; a token
that begins with `__label__` is no word; words outside the vocabulary have no row of their own but join the n-grams.

Each step runs over a block of tokens before the next begins, so that the processor overlaps the cache misses of a block's
lookups: 1.6x the speed of going token by token.
"""

from __future__ import annotations

import numba
import numpy as np

from dolmino_cli.kernels.unicode import trim

_CHUNK_BYTES = 4096
_FNV_OFFSET = 2166136261
_FNV_PRIME = 16777619
_NGRAM_FACTOR = 116049371
_LOW_32 = 0xFFFFFFFF
_EOS_HASH, _EOS_TAIL = 3617362777, int.from_bytes(b"</s>", "big")  # of the word that ends every line
_ORDINARY, _SEPARATOR, _MAYBE = 0, 1, 2


def build_slots(word_bytes: np.ndarray, word_offsets: np.ndarray) -> np.ndarray:
    """An open-addressing table over the vocabulary, at most half full: rows (tail, entry + 1) at `hash % size` or the next free row.

    The tail is the word's last 8 bytes as a big-endian number, so that for most words one comparison settles it and words
    outside the vocabulary are told apart by their bytes, never by a hash alone.
    """
    words = len(word_offsets) - 1
    slots = np.zeros((max(16, 1 << (2 * words - 1).bit_length()), 2), np.uint64)
    _fill_slots(word_bytes, word_offsets, slots)
    return slots


def byte_classes(*, split_lines: bool) -> np.ndarray:
    """256 classes: 0 belongs to a token, 1 separates, 2 may begin a separator of several bytes.

    With `split_lines`, whatever Python's `str.splitlines` splits at separates too.
    """
    classes = np.zeros(256, np.uint8)
    classes[list(b" \n\r\t\v\f\0")] = _SEPARATOR
    if split_lines:
        classes[[0x1C, 0x1D, 0x1E]] = _SEPARATOR
        classes[[0xC2, 0xE2]] = _MAYBE  # U+0085; U+2028 and U+2029
    return classes


@numba.njit("void(Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), u8[:, ::1])", cache=True, nogil=True)
def _fill_slots(word_bytes: np.ndarray, word_offsets: np.ndarray, slots: np.ndarray) -> None:
    mask = np.uint64(len(slots) - 1)
    for word in range(len(word_offsets) - 1):
        value, tail = np.uint64(_FNV_OFFSET), np.uint64(0)
        for at in range(word_offsets[word], word_offsets[word + 1]):
            value = (value ^ np.uint64(np.int8(word_bytes[at]))) * np.uint64(_FNV_PRIME)
            tail = tail << np.uint64(8) | np.uint64(word_bytes[at])
        at = value & mask
        while slots[at, 1] != 0:
            at = (at + np.uint64(1)) & mask
        slots[at, 0], slots[at, 1] = tail, np.uint64(word + 1)


@numba.njit(inline="always")
def _long_separator(data: np.ndarray, at: int, end: int) -> int:
    """Length of the separator of several bytes that begins at `at` (U+0085, U+2028, U+2029); 0 if there is none."""
    if data[at] == 0xC2:
        return 2 if at + 1 < end and data[at + 1] == 0x85 else 0
    return 3 if at + 2 < end and data[at + 1] == 0x80 and data[at + 2] & 0xFE == 0xA8 else 0


@numba.njit(nogil=True)
def _split_chunk(data: np.ndarray, at: int, end: int, classes: np.ndarray, open_token: np.ndarray, tokens: np.ndarray) -> tuple[int, int]:
    """Tokens that end between `at` and `at + _CHUNK_BYTES`, as rows (length << 32 | hash, tail, end): (their number, the next `at`).

    `open_token` carries length, hash and tail of a token that goes on in the next chunk. There is no branch per token: every
    byte writes the row that the next separator would complete, because a mispredicted branch costs more than a few stores.
    """
    length, value, tail = open_token
    count = 0
    stop = min(end, at + _CHUNK_BYTES)
    while at < stop:
        byte = np.uint64(data[at])
        kind = classes[byte]
        size = 1
        if kind == _MAYBE:
            size = _long_separator(data, at, end)
            kind = np.uint8(_SEPARATOR if size > 0 else _ORDINARY)
            size = max(size, 1)
        tokens[count, 0] = length << np.uint64(32) | value & np.uint64(_LOW_32)
        tokens[count, 1] = tail
        tokens[count, 2] = np.uint64(at)
        separates = kind != _ORDINARY
        count += separates and length != 0
        # Only the low 32 bits of the hash count, and they never depend on higher ones; fastText hashes signed bytes.
        value = np.uint64(_FNV_OFFSET) if separates else (value ^ np.uint64(np.int8(byte))) * np.uint64(_FNV_PRIME)
        tail = np.uint64(0) if separates else tail << np.uint64(8) | byte
        length = np.uint64(0) if separates else length + np.uint64(1)
        at += size
    open_token[0], open_token[1], open_token[2] = length, value, tail
    return count, at


@numba.njit(inline="always")
def _close_line(open_token: np.ndarray, tokens: np.ndarray, count: int, at: int) -> int:
    """Append the token that the end of the text completes, if any, and the line end itself; the new number of tokens."""
    if open_token[0] != 0:
        tokens[count, 0] = open_token[0] << np.uint64(32) | open_token[1] & np.uint64(_LOW_32)
        tokens[count, 1] = open_token[2]
        tokens[count, 2] = np.uint64(at)
        count += 1
    tokens[count, 0] = np.uint64(4 << 32 | _EOS_HASH)
    tokens[count, 1] = np.uint64(_EOS_TAIL)
    tokens[count, 2] = np.uint64(at)
    return count + 1


@numba.njit(inline="always")
def _find_word(
    data: np.ndarray, token: np.ndarray, slots: np.ndarray, word_offsets: np.ndarray, word_bytes: np.ndarray
) -> int:
    """The vocabulary entry with exactly the token's bytes, or -1."""
    mask = np.uint64(len(slots) - 1)
    head, tail = token[0], token[1]
    at = head & mask
    while slots[at, 1] != 0:
        if slots[at, 0] == tail:
            word = np.int64(slots[at, 1]) - 1
            length = np.int64(head >> np.uint64(32))
            if length < 8:  # then the tail is all of it: its highest byte is 0
                return word
            first = word_offsets[word]
            if word_offsets[word + 1] - first == length:
                start = np.int64(token[2]) - length
                same = 0
                while same < length - 8 and data[start + same] == word_bytes[first + same]:
                    same += 1
                if same == length - 8:
                    return word
        at = (at + np.uint64(1)) & mask
    return -1


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


@numba.njit(nogil=True)
def _look_up(
    data: np.ndarray,
    tokens: np.ndarray,
    count: int,
    vocabulary: tuple[np.ndarray, np.ndarray, np.ndarray],
    words: int,
    rows: np.ndarray,
    hashes: np.ndarray,
    carried: int,
) -> tuple[int, int, bool]:
    """Rows of the tokens that are in the vocabulary, and the sign-extended hash of every word after the `carried` ones.

    Returns (rows, hashes with the carried ones, whether a literal `</s>` ended the line).
    """
    slots, word_offsets, word_bytes = vocabulary
    found = 0
    for token in range(count):
        word = _find_word(data, tokens[token], slots, word_offsets, word_bytes)
        if word >= words or (word < 0 and _is_unknown_label(data, tokens[token])):
            continue
        rows[found] = word
        found += word >= 0
        hashes[carried] = np.uint64(np.int64(np.int32(np.uint32(tokens[token, 0]))))
        carried += 1
        if tokens[token, 1] == np.uint64(_EOS_TAIL) and tokens[token, 0] >> np.uint64(32) == np.uint64(4):
            return found, carried, True
    return found, carried, False


@numba.njit(nogil=True, error_model="numpy")
def _add_ngrams(hashes: np.ndarray, carried: int, filled: int, longest: int, words: int, buckets: int, rows: np.ndarray, found: int) -> int:
    """Append the rows of all n-grams of 2..`longest` words that end at words `carried`..`filled`; the new number of rows."""
    for last in range(carried, filled):
        for first in range(max(0, last - longest + 1), last):
            value = hashes[first]
            for word in range(first + 1, last + 1):
                value = value * np.uint64(_NGRAM_FACTOR) + hashes[word]
            rows[found] = words + np.int64(value % np.uint64(buckets))
            found += 1
    return found


@numba.njit(nogil=True)
def _add_rows(table: np.ndarray, rows: np.ndarray, found: int, sums: np.ndarray) -> None:
    if table.shape[1] == 1:
        total = 0.0
        for row in range(found):
            total += table[rows[row], 0]
        sums[0] += total
        return
    for row in range(found):
        for column in range(table.shape[1]):
            sums[column] += table[rows[row], column]


_SIGNATURE = (
    "void(Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True), b1,"
    " Tuple((Array(u8, 2, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True))),"
    " i8, i8, i8, Array(f4, 2, 'C', readonly=True), f8[:, ::1], i8[::1])"
)


@numba.njit(_SIGNATURE, cache=True, nogil=True)
def sum_rows(
    data: np.ndarray,
    offsets: np.ndarray,
    classes: np.ndarray,
    strip: bool,
    vocabulary: tuple[np.ndarray, np.ndarray, np.ndarray],
    words: int,
    word_ngrams: int,
    buckets: int,
    table: np.ndarray,
    sums: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Per document: the sum of its rows of the folded `table` into `sums` (documents x columns), their number into `counts`.

    `vocabulary` is (slots, offsets, bytes) of words and labels; entries from `words` on are labels. `table` has a row per
    word, then one per n-gram bucket.
    """
    most = _CHUNK_BYTES // 2 + 3  # tokens per chunk: every second byte separates, and two more at the line end
    context = max(word_ngrams, 1) - 1
    tokens = np.empty((most, 3), np.uint64)
    hashes = np.empty(most + context, np.uint64)
    rows = np.empty(most * (context + 1), np.int64)
    open_token = np.empty(3, np.uint64)
    for document in range(len(offsets) - 1):
        at, end = offsets[document], offsets[document + 1]
        if strip:
            at, end = trim(data, at, end, True)
        sums[document] = 0.0
        counts[document] = 0
        open_token[0], open_token[1], open_token[2] = 0, _FNV_OFFSET, 0
        carried = 0
        ended = False
        while not ended:
            count, at = _split_chunk(data, at, end, classes, open_token, tokens)
            if at >= end:
                count = _close_line(open_token, tokens, count, end)
            found, filled, ended = _look_up(data, tokens, count, vocabulary, words, rows, hashes, carried)
            found = _add_ngrams(hashes, carried, filled, word_ngrams, words, buckets, rows, found)
            _add_rows(table, rows, found, sums[document])
            counts[document] += found
            carried = min(filled, context)
            for i in range(carried):
                hashes[i] = hashes[filled - carried + i]
