"""Score documents with a fastText model folded to one table: a lookup per word and word n-gram instead of a vector per each."""

from __future__ import annotations

import numba
import numpy as np

from dolmino_cli.kernels.fasttext_line import MOST_TOKENS, add_ngrams, chunk_tokens, close_line, look_up, split_chunk
from dolmino_cli.kernels.loads import load_f32, prefetch
from dolmino_cli.kernels.uncounted import uncounted
from dolmino_cli.kernels.unicode import trim

_ROWS_AHEAD, _CACHE_LINE = 8, 64
_TEXT = "Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), b1, b1,"
_VOCABULARY = "Tuple((Array(u8, 2, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True))),"


@uncounted
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


@uncounted
def _keep(rows: np.ndarray, kept: np.ndarray) -> int:
    for i in range(len(rows)):
        kept[i] = rows[i]
    return len(rows)


@numba.njit(
    f"void({_TEXT} {_VOCABULARY} i8, i8, i8, Array(f4, 2, 'C', readonly=True), f8[:, ::1], i8[:, ::1], i4[::1], i4[::1])",
    cache=True,
    nogil=True,
)
def sum_rows(
    data: np.ndarray,
    offsets: np.ndarray,
    split_lines: bool,
    strip: bool,
    vocabulary: tuple[np.ndarray, np.ndarray, np.ndarray],
    words: int,
    word_ngrams: int,
    buckets: int,
    table: np.ndarray,
    sums: np.ndarray,
    counts: np.ndarray,
    word_rows: np.ndarray,
    ngram_rows: np.ndarray,
) -> None:
    """Per document: the sum of its rows of the folded `table` into `sums` (documents x columns).

    Into `counts` (documents x 2) go the numbers of its words and of its n-grams. `vocabulary` is (slots, offsets, bytes) of
    words and labels; entries from `words` on are labels. `table` has a row per word, then one per n-gram bucket. The rows
    themselves, of all documents one after another, go into `word_rows` and `ngram_rows`, unless these have no room at all.
    """
    tokens, scratch = chunk_tokens()
    hashes = np.empty(MOST_TOKENS + word_ngrams, np.uint64)
    rows = np.empty(len(hashes) * word_ngrams, np.int64)
    kept_words = kept_ngrams = 0
    for document in range(len(offsets) - 1):
        at, end = offsets[document], offsets[document + 1]
        if strip:
            at, end = trim(data, at, end, True)
        sums[document] = 0.0
        counts[document] = 0
        waiting = 0
        ended = False
        while not ended:
            count, at = split_chunk(data, at, end, split_lines, tokens, scratch)
            if at >= end:
                count = close_line(tokens, count, end)
            found, filled, ended = look_up(data, tokens, count, vocabulary, words, scratch, rows, hashes, waiting)
            with_ngrams, done = add_ngrams(hashes, filled, ended, word_ngrams, words, buckets, rows, found)
            _add_rows(table, rows, with_ngrams, sums[document])
            counts[document, 0] += found
            counts[document, 1] += with_ngrams - found
            if len(word_rows):
                kept_words += _keep(rows[:found], word_rows[kept_words:])
                kept_ngrams += _keep(rows[found:with_ngrams], ngram_rows[kept_ngrams:])
            waiting = filled - done
            for i in range(waiting):
                hashes[i] = hashes[done + i]


@numba.njit("i8[::1](i4[::1], i8[::1], i8[::1])", cache=True, nogil=True)
def count_again(rows: np.ndarray, ends: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """How many rows of each document stood among its last few hundred already; document d is `rows[ends[d]:ends[d + 1]]`."""
    recent = np.empty(512, np.int32)  # keeps one row for each of its places
    counts = np.zeros(len(documents), np.int64)
    for i in range(len(documents)):
        recent[:] = -1
        for row in rows[ends[documents[i]] : ends[documents[i] + 1]]:
            place = row & (len(recent) - 1)
            counts[i] += recent[place] == row
            recent[place] = row
    return counts


@numba.njit("f8[::1](i4[::1], i8[::1], i8[::1])", cache=True, nogil=True)
def square_counts(rows: np.ndarray, ends: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """The sum of squares of how often each row stands in a document; rows that share a place of the counts count as one."""
    places = np.empty(1 << 13, np.int64)
    squares = np.zeros(len(documents))
    for i in range(len(documents)):
        places[:] = 0
        for row in rows[ends[documents[i]] : ends[documents[i] + 1]]:
            places[row & (len(places) - 1)] += 1
        for count in places:
            squares[i] += np.float64(count) * np.float64(count)
    return squares


@numba.njit("void(Array(u1, 1, 'C', readonly=True), i8, i4[::1], f4[::1])", cache=True, nogil=True)
def add_vectors(model: np.ndarray, matrix_at: int, rows: np.ndarray, hidden: np.ndarray) -> None:
    """Add rows of the unfolded matrix to `hidden` in order, rounding to float32 after each as fastText does.

    Over tens of thousands of rows that error grows past what folding is exact to, so long documents are summed in just this
    way: all words, then all n-grams. `model` is the model's file, with the matrix (float32, rows of `len(hidden)`) from
    byte `matrix_at` on.
    """
    dim = len(hidden)
    for i in range(len(rows)):
        soon = matrix_at + np.int64(rows[min(i + _ROWS_AHEAD, len(rows) - 1)]) * 4 * dim
        for line in range(0, 4 * dim, _CACHE_LINE):
            prefetch(model, soon + line)
        vector = matrix_at + np.int64(rows[i]) * 4 * dim
        for column in range(dim):
            hidden[column] += load_f32(model, vector + 4 * column)
