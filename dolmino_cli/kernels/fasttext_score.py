"""Score documents with a fastText model folded to one table: a lookup per word and word n-gram instead of a vector per each."""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from dolmino_cli.kernels.fasttext_line import MOST_TOKENS, add_ngrams, close_line, look_up, split_chunk
from dolmino_cli.kernels.unicode import trim

_pread = types.ExternalFunction("pread", types.intp(types.int32, types.uintp, types.uintp, types.int64))
_FNV_OFFSET = 2166136261

_TEXT = "Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True), b1,"
_VOCABULARY = "Tuple((Array(u8, 2, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True))),"


@numba.njit(nogil=True)
def _count_again(rows: np.ndarray, found: int, recent: np.ndarray) -> int:
    """How many of the rows stood among the last few already; `recent` keeps one row for each of its places."""
    again = 0
    for row in rows[:found]:
        place = row & (len(recent) - 1)
        again += recent[place] == row
        recent[place] = row
    return again


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


@numba.njit(
    f"void({_TEXT} {_VOCABULARY} i8, i8, i8, Array(f4, 2, 'C', readonly=True), f8[:, ::1], i8[:, ::1], b1)",
    cache=True,
    nogil=True,
)
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
    count_again: bool,
) -> None:
    """Per document: the sum of its rows of the folded `table` into `sums` (documents x columns).

    Into `counts` (documents x 2) goes the number of rows, and with `count_again` how many of them are the same as
    another shortly before.
    `vocabulary` is (slots, offsets, bytes) of words and labels; entries from `words` on are labels. `table` has a row per
    word, then one per n-gram bucket.
    """
    tokens, first_slots = np.empty((MOST_TOKENS, 3), np.uint64), np.empty((MOST_TOKENS, 2), np.uint64)
    hashes = np.empty(MOST_TOKENS + word_ngrams, np.uint64)
    rows = np.empty(len(hashes) * word_ngrams, np.int64)
    recent = np.empty(512, np.int64)
    open_token = np.empty(3, np.uint64)
    for document in range(len(offsets) - 1):
        at, end = offsets[document], offsets[document + 1]
        if strip:
            at, end = trim(data, at, end, True)
        sums[document] = 0.0
        counts[document] = 0
        recent[:] = -1
        open_token[0], open_token[1], open_token[2] = 0, _FNV_OFFSET, 0
        waiting = 0
        ended = False
        while not ended:
            count, at = split_chunk(data, at, end, classes, open_token, tokens)
            if at >= end:
                count = close_line(open_token, tokens, count, end)
            found, filled, ended = look_up(data, tokens, count, vocabulary, words, first_slots, rows, hashes, waiting)
            found, done = add_ngrams(hashes, filled, ended, word_ngrams, words, buckets, rows, found)
            _add_rows(table, rows, found, sums[document])
            counts[document, 0] += found
            if count_again:
                counts[document, 1] += _count_again(rows, found, recent)
            waiting = filled - done
            for i in range(waiting):
                hashes[i] = hashes[done + i]


@numba.njit(nogil=True)
def _add_vectors(
    file: int, matrix_at: int, rows: np.ndarray, found: int, kept: np.ndarray, vectors: np.ndarray, hidden: np.ndarray
) -> bool:
    """Add rows of the matrix to `hidden` in order, in float32; a row that is not in the cache is read from the file."""
    dim = len(hidden)
    mask = np.uint64(len(kept) - 1)
    for row in rows[:found]:
        # Multiplying spreads neighbours; words come by frequency, so the low rows are the busy ones.
        place = np.uint64(row) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40) & mask
        if kept[place] != row:
            to = np.uintp(vectors.ctypes.data) + np.uintp(place) * np.uintp(4 * dim)
            if _pread(np.int32(file), to, np.uintp(4 * dim), np.int64(matrix_at + row * 4 * dim)) != 4 * dim:
                kept[place] = -1
                return False
            kept[place] = row
        vector = vectors[place]
        for i in range(dim):
            hidden[i] += vector[i]
    return True


@numba.njit(f"i8({_TEXT} {_VOCABULARY} i8, i8, i8, i8, i8, i8[::1], f4[:, ::1], f4[::1])", cache=True, nogil=True)
def sum_vectors(
    data: np.ndarray,
    offsets: np.ndarray,
    classes: np.ndarray,
    strip: bool,
    vocabulary: tuple[np.ndarray, np.ndarray, np.ndarray],
    words: int,
    word_ngrams: int,
    buckets: int,
    file: int,
    matrix_at: int,
    kept: np.ndarray,
    vectors: np.ndarray,
    hidden: np.ndarray,
) -> int:
    """The sum of one document's rows of the unfolded matrix, rounded step by step as fastText does, into `hidden` (float32).

    fastText adds in float32, all words before all n-grams. Over tens of thousands of rows that error grows past what folding
    is exact to, so long documents are summed in just this way. `file` is an open descriptor of the model; `kept` (row
    numbers, a power of two of them, -1 = none) and `vectors` are a cache of rows. Returns the number of rows, or -1 if the
    file ended before one of them.
    """
    tokens, first_slots = np.empty((MOST_TOKENS, 3), np.uint64), np.empty((MOST_TOKENS, 2), np.uint64)
    hashes = np.empty(MOST_TOKENS + word_ngrams, np.uint64)
    rows = np.empty(len(hashes) * word_ngrams, np.int64)
    open_token = np.empty(3, np.uint64)
    hidden[:] = 0.0
    total = 0
    for ngrams_turn in (False, True):
        at, end = offsets[0], offsets[1]
        if strip:
            at, end = trim(data, at, end, True)
        open_token[0], open_token[1], open_token[2] = 0, _FNV_OFFSET, 0
        waiting = 0
        ended = False
        while not ended:
            count, at = split_chunk(data, at, end, classes, open_token, tokens)
            if at >= end:
                count = close_line(open_token, tokens, count, end)
            found, filled, ended = look_up(data, tokens, count, vocabulary, words, first_slots, rows, hashes, waiting)
            if ngrams_turn:
                found, done = add_ngrams(hashes, filled, ended, word_ngrams, words, buckets, rows, 0)
                waiting = filled - done
                for i in range(waiting):
                    hashes[i] = hashes[done + i]
            if not _add_vectors(file, matrix_at, rows, found, kept, vectors, hidden):
                return -1
            total += found
    return total
