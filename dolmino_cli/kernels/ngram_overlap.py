"""How much of a document stands in evaluation instances: its words numbered, its n-grams looked up, the hits counted.

What an index is made of (all read-only, shared by processes): a vocabulary and the n-grams as in `ngram_table`, `words` of all
instances one after another, per n-gram its instances (`holders[places[g]:places[g + 1]]`, ascending), and per word the lengths of
instances shorter than n that begin with it, as bits of `openings`.
"""

from __future__ import annotations

import numba
import numpy as np

from dolmino_cli.kernels.ngram_table import (
    UNSETTLED,
    find_gram,
    find_keyed_word,
    find_short_words,
    gram_hash,
    leading_factor,
    may_hold,
    rolled,
    word_key,
)
from dolmino_cli.kernels.uncounted import uncounted
from dolmino_cli.kernels.word_breaks import fold_word, next_word

DOCUMENT, PARAGRAPH, INSTANCE = 0, 1, 2  # columns of the results

_U1, _U4, _U8, _I8 = (f"Array({kind}, 1, 'C', readonly=True)" for kind in ("u1", "u4", "u8", "i8"))
_SLOTS = "Array(u8, 2, 'C', readonly=True)"
_WORDS, _GRAMS = f"Tuple(({_SLOTS}, {_I8}, {_U1}))", f"Tuple(({_U8}, {_U8}, {_U4}, {_U1}, {_U1}))"
_INDEX = f"{_WORDS}, {_GRAMS}, {_U4}, {_U8}, Tuple(({_I8}, {_U4})), {_U4}, {_U1}"


@uncounted
def _number_words(
    data: np.ndarray,
    at: int,
    end: int,
    classes: np.ndarray,
    folded: np.ndarray,
    vocabulary: tuple[np.ndarray, np.ndarray, np.ndarray],
    scratch: np.ndarray,
    keys: np.ndarray,
    ids: np.ndarray,
    places: np.ndarray,
) -> int:
    """Per word its number (-1: no instance has it) in `ids`, and start, end (bytes of the text) and line in `places`.

    All words are cut before the first is looked up: the lookups then wait for memory together and not one after another.
    """
    first = at
    count: int = _cut_words(data, at, end, classes, folded, scratch, keys, places)
    slots, offsets, held = vocabulary
    unsettled = find_short_words(keys[:count], slots, ids)
    for word in range(count) if unsettled else range(0):
        if ids[word] == UNSETTLED:
            start, stop = first + places[word, 0], first + places[word, 1]
            source = data
            if len(folded):
                start, stop, source = 0, fold_word(data, start, stop, folded, scratch), scratch
            ids[word], _ = find_keyed_word(keys[word], source, start, stop, slots, offsets, held)
    return count


@uncounted
def _cut_words(
    data: np.ndarray,
    at: int,
    end: int,
    classes: np.ndarray,
    folded: np.ndarray,
    scratch: np.ndarray,
    keys: np.ndarray,
    places: np.ndarray,
) -> int:
    """Per word its key, and start, end and line in `places`; how many words."""
    first, before, line, count = at, at, 0, 0
    start, at = next_word(data, at, end, classes)
    while start < at:
        # Mostly one space or nothing stands between two words, and which is a toss-up: the first byte is counted unbranched.
        line += int(start > before) & int(data[before] == 0x0A)
        for place in range(before + 1, start):
            line += data[place] == 0x0A
        before = at
        source, left, right = data, start, at
        if len(folded):
            source, left, right = scratch, 0, fold_word(data, start, at, folded, scratch)
        keys[count] = word_key(source, left, right)
        places[count, 0], places[count, 1], places[count, 2] = start - first, at - first, line
        count += int(left < right)
        start, at = next_word(data, at, end, classes)
    return count


@uncounted
def _find_hits(
    ids: np.ndarray,
    count: int,
    length: int,
    grams: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    words: np.ndarray,
    openings: np.ndarray,
    hits: np.ndarray,
) -> int:
    """Put (place of the first word, n-gram) of every n-gram that some instance has into `hits`; how many, or -1 for too many."""
    slots, bits, gram_at, gram_length, _ = grams
    found, known, rolling, leading = 0, 0, np.uint64(0), leading_factor(length)
    for at in range(count):
        word = np.int64(ids[at])
        # An unknown word is rolled over as 0 is; `known` keeps the n-grams that hold one from being looked up.
        if at >= length:
            rolling -= np.uint64(ids[at - length] + 1) * leading
        rolling = rolled(rolling, word)
        known = known + 1 if word >= 0 else 0
        hashed = gram_hash(rolling, length)
        if may_hold(bits, hashed) and known >= length:
            number, _ = find_gram(hashed, ids, at - length + 1, length, slots, gram_at, gram_length, words)
            if number >= 0:
                if found == len(hits):
                    return -1
                hits[found, 0], hits[found, 1] = at - length + 1, number
                found += 1
        lengths = openings[word] if word >= 0 else np.uint64(0)
        short, begun = 0, np.uint64(0)
        while lengths >> np.uint64(short + 1) and at + short < count and ids[at + short] >= 0:
            begun = rolled(begun, np.int64(ids[at + short]))
            short += 1
            if lengths >> np.uint64(short) & np.uint64(1):
                hashed = gram_hash(begun, short)
                if may_hold(bits, hashed):
                    number, _ = find_gram(hashed, ids, at, short, slots, gram_at, gram_length, words)
                    if number >= 0:
                        if found == len(hits):
                            return -1
                        hits[found, 0], hits[found, 1] = at, number
                        found += 1
    return found


@uncounted
def _count_by_instance(
    hits: np.ndarray,
    order: np.ndarray,
    length: int,
    stride: int,
    gram_length: np.ndarray,
    holders: tuple[np.ndarray, np.ndarray],
    positions: np.ndarray,
    distinct: np.ndarray,
    touched: np.ndarray,
) -> int:
    """Per instance touched: places of the document with one of its n-grams, distinct n-grams of it; how many are touched.

    `order` are the rows of `hits` by n-gram.
    """
    places, instances = holders
    count, at, found = 0, 0, len(order)
    while at < found:
        number, times = hits[order[at], 1], 0
        while at < found and hits[order[at], 1] == number:
            times += gram_length[number] < length or hits[order[at], 0] % stride == 0
            at += 1
        for place in range(places[number], places[number + 1]):
            instance = instances[place]
            if distinct[instance] == 0:
                touched[count] = instance
                count += 1
            positions[instance] += np.uint32(times)
            distinct[instance] += np.uint32(1)
    return count


@uncounted
def _holds(holders: tuple[np.ndarray, np.ndarray], number: int, instance: int) -> bool:
    """Whether the n-gram is in the instance."""
    places, instances = holders
    low, high = places[number], places[number + 1]
    while low < high:
        middle = (low + high) // 2
        if np.int64(instances[middle]) < instance:
            low = middle + 1
        else:
            high = middle
    return bool(low < places[number + 1] and np.int64(instances[low]) == instance)


@uncounted
def _longest_span(
    hits: np.ndarray,
    found: int,
    instance: int,
    gram_length: np.ndarray,
    holders: tuple[np.ndarray, np.ndarray],
    places: np.ndarray,
) -> tuple[int, int]:
    """Bytes of the longest stretch of words covered by overlapping n-grams of the instance; the first of equal ones."""
    best_first, best_last, first, last = 0, -1, 0, -1
    for hit in range(found):
        at, number = hits[hit, 0], hits[hit, 1]
        if not _holds(holders, number, instance):
            continue
        if at > last + 1 or last < 0:
            first = at
        last = at + gram_length[number] - 1
        if last - first > best_last - best_first or best_last < 0:
            best_first, best_last = first, last
    return places[best_first, 0], places[best_last, 1]


@uncounted
def _best_paragraph(
    hits: np.ndarray,
    found: int,
    count: int,
    length: int,
    stride: int,
    grams: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    places: np.ndarray,
) -> tuple[float, int, int, int]:
    """Of the line with the largest share of its n-grams found: (share, first hit's n-gram, start byte, end byte)."""
    _, _, _, gram_length, in_line = grams
    best, best_number, best_start, best_end = 0.0, -1, -1, -1
    line, first, last, times, number, start, end = -1, 0, 0, 0, -1, 0, 0
    for hit in range(found + 1):
        at = hits[hit, 0] if hit < found else 0
        if hit == found or places[at, 2] != line:
            if times:
                share = times / ((last - first - length + 1) // stride + 1)
                if share > best:
                    best, best_number, best_start, best_end = share, number, start, end
            if hit == found:
                break
            line, times = places[at, 2], 0
            first, last = at, at
            while first > 0 and places[first - 1, 2] == line:
                first -= 1
            while last + 1 < count and places[last + 1, 2] == line:
                last += 1
        gram = hits[hit, 1]
        if gram_length[gram] == length and in_line[gram] and at + length - 1 <= last and (at - first) % stride == 0:
            if times == 0:
                number, start = gram, places[at, 0]
            times += 1
            end = places[at + length - 1, 1]
    return best, best_number, best_start, best_end


@uncounted
def _name_best(
    count: int,
    length: int,
    stride: int,
    instance_length: np.ndarray,
    instance_grams: np.ndarray,
    counters: tuple[np.ndarray, np.ndarray, np.ndarray],
    shares: np.ndarray,
    evidence: np.ndarray,
) -> None:
    """The largest DOCUMENT and INSTANCE shares of a document of `count` words, and whose; its counters go back to zero."""
    positions, distinct, touched = counters
    for at in range(len(touched)):
        instance = np.int64(touched[at])
        own = np.int64(instance_length[instance])
        total = (count - own) // (stride if own == length else 1) + 1
        of_document = positions[instance] / total
        of_instance = distinct[instance] / instance_grams[instance]
        positions[instance], distinct[instance] = 0, 0
        for column, share in ((DOCUMENT, of_document), (INSTANCE, of_instance)):
            held, other = shares[column], evidence[column, 0]
            if share > held or (share == held and share > 0 and instance < other):
                shares[column], evidence[column, 0] = share, instance


@numba.njit(
    f"void({_U1}, {_I8}, {_U1}, {_U4}, {_INDEX}, i8, i8, u4[::1], u4[::1], u4[::1], f8[:, ::1], i8[:, :, ::1])",
    cache=True,
    nogil=True,
)
def measure_overlap(
    data: np.ndarray,
    offsets: np.ndarray,
    classes: np.ndarray,
    folded: np.ndarray,
    vocabulary: tuple[np.ndarray, np.ndarray, np.ndarray],
    grams: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    words: np.ndarray,
    openings: np.ndarray,
    holders: tuple[np.ndarray, np.ndarray],
    instance_grams: np.ndarray,
    instance_length: np.ndarray,
    length: int,
    stride: int,
    positions: np.ndarray,
    distinct: np.ndarray,
    touched: np.ndarray,
    shares: np.ndarray,
    evidence: np.ndarray,
) -> None:
    """Per document three shares (columns DOCUMENT, PARAGRAPH, INSTANCE), and for each (instance, start byte, end byte) or -1.

    DOCUMENT: of the document's n-grams, the largest share found in one instance; for an instance of k < n words, the document's
    k-grams count. PARAGRAPH: of a line's n-grams, the largest share found in lines of any instance. INSTANCE: of the distinct
    n-grams of one instance, the largest share found in the document. Of equal instances the first is named, of equal lines too.
    With `stride` s, every s-th n-gram counts in the first two. `positions` and `distinct` are all zero before and after.
    """
    longest = 0
    for document in range(len(shares)):
        longest = max(longest, offsets[document + 1] - offsets[document])
    keys, ids, places = np.empty(longest + 1, np.uint64), np.empty(longest + 1, np.int32), np.empty((longest + 1, 3), np.int64)
    scratch = np.empty(2 * longest if len(folded) else 0, np.uint8)
    hits = np.empty((1 << 10, 2), np.int64)
    for document in range(len(shares)):
        shares[document], evidence[document] = 0.0, -1
        start, end = offsets[document], offsets[document + 1]
        count = _number_words(data, start, end, classes, folded, vocabulary, scratch, keys, ids, places)
        found = _find_hits(ids, count, length, grams, words, openings, hits)
        while found < 0:
            hits = np.empty((2 * len(hits), 2), np.int64)
            found = _find_hits(ids, count, length, grams, words, openings, hits)
        if found == 0:
            continue
        best, number, first, last = _best_paragraph(hits, found, count, length, stride, grams, places)
        shares[document, PARAGRAPH] = best
        if number >= 0:
            evidence[document, PARAGRAPH, 0] = holders[1][holders[0][number]]
            evidence[document, PARAGRAPH, 1], evidence[document, PARAGRAPH, 2] = first, last
        many = _count_by_instance(
            hits, np.argsort(hits[:found, 1]), length, stride, grams[3], holders, positions, distinct, touched
        )
        counters = positions, distinct, touched[:many]
        _name_best(count, length, stride, instance_length, instance_grams, counters, shares[document], evidence[document])
        for column in (DOCUMENT, INSTANCE):
            instance = evidence[document, column, 0]
            if instance >= 0:
                span = _longest_span(hits, found, instance, grams[3], holders, places)
                evidence[document, column, 1], evidence[document, column, 2] = span
