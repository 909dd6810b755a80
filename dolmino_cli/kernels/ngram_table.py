"""Words to numbers and n-grams of numbers to numbers, exactly: hashes only say where to look, what lies there is compared.

A vocabulary is (slots, offsets, bytes): word w is `bytes[offsets[w]:offsets[w + 1]]`. Its slots are (key, number), key 0 when
free; a slot of the n-grams is hash >> 32 << 32 | number + 1, or 0. Both have a power of two of slots, at most half of them taken.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from dolmino_cli.kernels.loads import load_head
from dolmino_cli.kernels.uncounted import uncounted
from dolmino_cli.kernels.word_breaks import fold_word, has_letter_or_number, next_word

UNSETTLED = -2  # of `find_short_words`
LONGEST_NGRAM = 32  # words; the lengths of shorter instances are bits of a number

_BASE, _MIX = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
_LOW, _HIGH, _LONG = 0xFFFFFFFF, 0xFFFFFFFF00000000, 0xFF00000000000000


@numba.njit(inline="always")
def mixed(value: Any) -> Any:
    """All bits of `value` spread over all bits of the result."""
    value = (value ^ value >> np.uint64(32)) * np.uint64(_MIX)
    value = (value ^ value >> np.uint64(29)) * np.uint64(_MIX)
    return value ^ value >> np.uint64(32)


@numba.njit(inline="always")
def _piece(data: np.ndarray, at: int, size: int) -> Any:
    """Up to 8 bytes from `at` on as a number, the first byte lowest."""
    piece = load_head(data, at)
    return piece & (np.uint64(1) << np.uint64(8 * size)) - np.uint64(1) if size < 8 else piece


@uncounted
def word_key(data: np.ndarray, at: int, end: int) -> Any:
    """What a slot holds of a word: up to 7 bytes themselves with their number above, of longer words a hash under 0xFF."""
    size = end - at
    if size < 8:
        return _piece(data, at, size) | np.uint64(size) << np.uint64(56)
    value = np.uint64(size) * np.uint64(_BASE)
    while at < end:
        value = (value ^ _piece(data, at, end - at)) * np.uint64(_BASE)
        value ^= value >> np.uint64(32)
        at += 8
    return mixed(value) | np.uint64(_LONG)


@uncounted
def find_keyed_word(
    key: np.uint64, data: np.ndarray, at: int, end: int, slots: np.ndarray, offsets: np.ndarray, held: np.ndarray
) -> tuple[np.int64, np.uint64]:
    """(number of the word with this key, its slot); (-1, the free slot for it) for a word that is not there."""
    mask = np.uint64(len(slots) - 1)
    slot = mixed(key) & mask
    while slots[slot, 0] != 0:
        if slots[slot, 0] == key:
            number = np.int64(slots[slot, 1])
            if key < np.uint64(_LONG):
                return number, slot
            start = offsets[number]
            if offsets[number + 1] - start == end - at:
                left = at
                while left < end and _piece(data, left, end - left) == _piece(held, start + left - at, end - left):
                    left += 8
                if left >= end:
                    return number, slot
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1), slot


@uncounted
def find_word(
    data: np.ndarray, at: int, end: int, slots: np.ndarray, offsets: np.ndarray, held: np.ndarray
) -> tuple[np.int64, np.uint64, np.uint64]:
    """(number of the word, its slot, its key); (-1, the free slot for it, its key) for a word that is not there."""
    key = word_key(data, at, end)
    number, slot = find_keyed_word(key, data, at, end, slots, offsets, held)
    return number, slot, key


@uncounted
def find_short_words(keys: np.ndarray, slots: np.ndarray, ids: np.ndarray) -> bool:
    """Numbers of the words with these keys that their first slot settles: words of up to 7 bytes, and what is not there at all.

    The others' are UNSETTLED; whether there are any.
    """
    mask = np.uint64(len(slots) - 1)
    left = 0
    for word in range(len(keys)):
        slot = mixed(keys[word]) & mask
        held, number = slots[slot, 0], np.int32(slots[slot, 1])
        found = (held == keys[word]) & (keys[word] < np.uint64(_LONG))
        free = held == np.uint64(0)
        ids[word] = number if found else np.int32(-1 if free else UNSETTLED)
        left += not (found | free)
    return left > 0


@numba.njit(inline="always")
def rolled(value: np.uint64, word: np.int64) -> np.uint64:
    """The rolling hash with one more word at its end."""
    return value * np.uint64(_BASE) + np.uint64(word) + np.uint64(1)


@uncounted
def leading_factor(length: int) -> np.uint64:
    """What the first of `length` words is multiplied with in the rolling hash."""
    factor = np.uint64(1)
    for _ in range(length - 1):
        factor *= np.uint64(_BASE)
    return factor


@numba.njit(inline="always")
def gram_hash(rolling: Any, length: int) -> Any:
    """The hash of an n-gram of `length` words, from its rolling hash."""
    return mixed(rolling ^ np.uint64(length) * np.uint64(_MIX))


@uncounted
def _hash_at(words: np.ndarray, at: int, length: int) -> Any:
    """The hash of the n-gram `words[at:at + length]`."""
    rolling = np.uint64(0)
    for i in range(length):
        rolling = rolled(rolling, np.int64(words[at + i]))
    return gram_hash(rolling, length)


@numba.njit(inline="always")
def _filter_bit(filter_bits: np.ndarray, hashed: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Which number of the filter, and which of its 64 bits, stands for an n-gram with this hash."""
    return hashed >> np.uint64(26) & np.uint64(len(filter_bits) - 1), hashed >> np.uint64(20) & np.uint64(63)


@numba.njit(inline="always")
def may_hold(filter_bits: np.ndarray, hashed: np.uint64) -> bool:
    """Whether an n-gram with this hash may be in the table: one bit, read in a tenth of the time that the table takes."""
    place, bit = _filter_bit(filter_bits, hashed)
    return bool(filter_bits[place] >> bit & np.uint64(1))


@uncounted
def find_gram(
    hashed: np.uint64,
    ids: np.ndarray,
    at: int,
    length: int,
    slots: np.ndarray,
    gram_at: np.ndarray,
    gram_length: np.ndarray,
    words: np.ndarray,
) -> tuple[np.int64, np.uint64]:
    """(number of the n-gram `ids[at:at + length]`, or -1; the slot of it or for it)."""
    mask = np.uint64(len(slots) - 1)
    slot = hashed & mask
    while slots[slot] != 0:
        if slots[slot] & np.uint64(_HIGH) == hashed & np.uint64(_HIGH):
            number = np.int64(slots[slot] & np.uint64(_LOW)) - 1
            if gram_length[number] == length:
                start, same = np.int64(gram_at[number]), 0
                while same < length and np.int64(words[start + same]) == np.int64(ids[at + same]):
                    same += 1
                if same == length:
                    return number, slot
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1), slot


@numba.njit(
    "i8(Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True),"
    " Array(u4, 1, 'C', readonly=True), u8[:, ::1], i8[::1], u1[::1], i8, u4[::1], u1[::1], i8[:, ::1])",
    cache=True,
    nogil=True,
)
def intern_words(
    data: np.ndarray,
    offsets: np.ndarray,
    classes: np.ndarray,
    folded: np.ndarray,
    slots: np.ndarray,
    held_offsets: np.ndarray,
    held: np.ndarray,
    known: int,
    words: np.ndarray,
    opens_line: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Number the words of some texts, adding new ones to a vocabulary of `known` words; how many it has then.

    Words are normalised if `folded` is the table of `folded_characters()`, as written if it is empty. `words` and `opens_line`
    (1: no earlier word stands on this word's line) get one entry per word; `counts` per text its words, and its words with a
    letter or number. All outputs are large enough: as many words as bytes, twice as many bytes of words.
    """
    longest = 0
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    scratch = np.empty(2 * longest, np.uint8)
    total = 0
    for text in range(len(offsets) - 1):
        first, before, end = total, offsets[text], offsets[text + 1]
        counts[text, 1] = 0
        opens = np.uint8(1)
        start, at = next_word(data, before, end, classes)
        while start < at:
            for place in range(before, start):
                if data[place] == 0x0A:
                    opens = np.uint8(1)
            before = at
            source, left, right = data, start, at
            if len(folded):
                source, left, right = scratch, 0, fold_word(data, start, at, folded, scratch)
            if left < right:
                counts[text, 1] += has_letter_or_number(data, start, at, classes)
                number, slot, key = find_word(source, left, right, slots, held_offsets, held)
                if number < 0:
                    number = known
                    known += 1
                    slots[slot, 0], slots[slot, 1] = key, number
                    room = held_offsets[number]
                    for i in range(right - left):
                        held[room + i] = source[left + i]
                    held_offsets[known] = room + right - left
                words[total], opens_line[total] = number, opens
                total += 1
                opens = np.uint8(0)
            start, at = next_word(data, at, end, classes)
        counts[text, 0] = total - first
    return known


@numba.njit("void(u8[:, ::1], Array(i8, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True), i8)", cache=True, nogil=True)
def fill_word_slots(slots: np.ndarray, offsets: np.ndarray, held: np.ndarray, known: int) -> None:
    """Put the first `known` words of a vocabulary into empty `slots`."""
    mask = np.uint64(len(slots) - 1)
    for number in range(known):
        key = word_key(held, offsets[number], offsets[number + 1])
        slot = mixed(key) & mask
        while slots[slot, 0] != 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot, 0], slots[slot, 1] = key, number


@numba.njit(
    "i8(Array(u4, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), i8, u8[::1],"
    " u4[::1], u1[::1], u1[::1], u4[::1], u4[::1])",
    cache=True,
    nogil=True,
)
def number_grams(
    words: np.ndarray,
    opens_line: np.ndarray,
    bounds: np.ndarray,
    longest: int,
    slots: np.ndarray,
    gram_at: np.ndarray,
    gram_length: np.ndarray,
    in_line: np.ndarray,
    holders: np.ndarray,
    instance_grams: np.ndarray,
) -> int:
    """Number the distinct n-grams of all instances by first occurrence; how many there are.

    Instance i is `words[bounds[2 * i]:bounds[2 * i + 1]]`. Its n-grams have `longest` words, or are the whole of it when it has
    fewer; none when it has no words. Per n-gram: the place and length of its first occurrence, whether it stands on one line
    anywhere, in how many instances it is. Per instance: how many distinct n-grams it has.
    """
    count = 0
    last_holder = np.full(len(gram_at), np.uint32(_LOW), np.uint32)
    for instance in range(len(instance_grams)):
        start, end = bounds[2 * instance], bounds[2 * instance + 1]
        length = min(longest, end - start)
        if length == 0:
            continue
        for at in range(start, end - length + 1):
            one_line = np.uint8(1)
            for i in range(1, length):
                if opens_line[at + i]:
                    one_line = np.uint8(0)
            hashed = _hash_at(words, at, length)
            number, slot = find_gram(hashed, words, at, length, slots, gram_at, gram_length, words)
            if number < 0:
                number = count
                count += 1
                slots[slot] = hashed & np.uint64(_HIGH) | np.uint64(count)
                gram_at[number], gram_length[number] = at, length
            in_line[number] |= one_line
            if last_holder[number] != instance:
                last_holder[number] = instance
                holders[number] += np.uint32(1)
                instance_grams[instance] += np.uint32(1)
    return count


@numba.njit(
    "void(Array(u4, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True), i8, u8[::1], u4[::1], u1[::1], i8[::1], u4[::1])",
    cache=True,
    nogil=True,
)
def list_holders(
    words: np.ndarray,
    bounds: np.ndarray,
    longest: int,
    slots: np.ndarray,
    gram_at: np.ndarray,
    gram_length: np.ndarray,
    free: np.ndarray,
    holders: np.ndarray,
) -> None:
    """Write into `holders` the instances of every n-gram, ascending; those of n-gram g from place `free[g]` on, which moves."""
    first = free.copy()
    for instance in range(len(bounds) // 2):
        start, end = bounds[2 * instance], bounds[2 * instance + 1]
        length = min(longest, end - start)
        if length == 0:
            continue
        for at in range(start, end - length + 1):
            number, _ = find_gram(_hash_at(words, at, length), words, at, length, slots, gram_at, gram_length, words)
            if free[number] == first[number] or holders[free[number] - 1] != instance:
                holders[free[number]] = instance
                free[number] += 1


@numba.njit(
    "void(u8[::1], u8[::1], Array(u4, 1, 'C', readonly=True), Array(u4, 1, 'C', readonly=True),"
    " Array(u1, 1, 'C', readonly=True))",
    cache=True,
    nogil=True,
)
def fill_gram_slots(
    slots: np.ndarray, filter_bits: np.ndarray, words: np.ndarray, gram_at: np.ndarray, gram_length: np.ndarray
) -> None:
    """Put all n-grams into empty `slots`, in order, and set their bits in `filter_bits` (all zero, a power of two long)."""
    mask = np.uint64(len(slots) - 1)
    for number in range(len(gram_at)):
        hashed = _hash_at(words, np.int64(gram_at[number]), np.int64(gram_length[number]))
        place, bit = _filter_bit(filter_bits, hashed)
        filter_bits[place] |= np.uint64(1) << bit
        slot = hashed & mask
        while slots[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = hashed & np.uint64(_HIGH) | np.uint64(number + 1)
