"""Selection takes documents in the order of a hash, stops within one document of the target, and nests."""

from __future__ import annotations

import ast
import pickle

import numpy as np
import pytest

from dolmino_cli.mix.sampling.select import (
    Boundary,
    BoundaryDocuments,
    Histogram,
    Rank,
    Selection,
    find_boundary,
    find_last,
    in_boundary,
    whole_passes,
)


def copies_of(selection: Selection, keys: np.ndarray, *, file: int, first_row: int) -> list[np.ndarray]:
    """The masks over consecutive documents of one file."""
    return selection.copies_of(keys, files=np.full(len(keys), file), rows=first_row + np.arange(len(keys)))


def keys_of(*prefixes_and_rests: tuple[int, int]) -> np.ndarray:
    return np.array([(prefix << 48) | rest for prefix, rest in prefixes_and_rests], np.uint64)


def test_whole_passes_and_the_rest() -> None:
    assert whole_passes(0, 10) == (0, 0)
    assert whole_passes(9, 10) == (0, 9)
    assert whole_passes(40, 10) == (4, 0)
    assert whole_passes(25, 10) == (2, 5)


# Five documents in two files; in hash order: b(5 tokens), d(4), a(3), c(2), e(1).
KEYS = keys_of((7, 5), (0, 1), (7, 6), (7, 4), (65535, 9))  # a, b, c | d, e
LENGTHS = np.array([3, 5, 2, 4, 1], np.int64)
FILES = [slice(0, 3), slice(3, 5)]


def partial_pass(wanted: int) -> tuple[Rank, int, int]:
    histogram = Histogram()
    for file in FILES:
        part = Histogram()
        part.add_documents(KEYS[file], LENGTHS[file])
        histogram.add(part)
    boundary = find_boundary(histogram, wanted)
    parts = []
    for number, file in enumerate(FILES):
        near = in_boundary(KEYS[file], boundary)
        parts.append(BoundaryDocuments(file=number, keys=KEYS[file][near], rows=near, lengths=LENGTHS[file][near]))
    return find_last(boundary, reversed(parts), wanted)


@pytest.mark.parametrize(
    ("wanted", "file", "row", "taken"),
    [
        (1, 0, 1, "b"),
        (5, 0, 1, "b"),
        (6, 1, 0, "bd"),
        (9, 1, 0, "bd"),
        (10, 0, 0, "bda"),
        (12, 0, 0, "bda"),
        (13, 0, 2, "bdac"),
        (14, 0, 2, "bdac"),
        (15, 1, 1, "bdace"),
    ],
)
def test_documents_are_taken_in_hash_order_up_to_the_first_that_reaches_the_target(
    wanted: int, file: int, row: int, taken: str
) -> None:
    last, documents, tokens = partial_pass(wanted)
    assert (last.file, last.row) == (file, row)
    assert documents == len(taken)
    assert tokens == sum(int(LENGTHS["abcde".index(name)]) for name in taken)
    selection = Selection(passes=2, last=last, documents=documents, tokens=tokens)
    chosen = ""
    for number, part in enumerate(FILES):
        copies = copies_of(selection, KEYS[part], file=number, first_row=0)
        assert [mask.all() for mask in copies[:2]] == [True, True]
        assert len(copies) == 3
        chosen += "".join(np.array(list("abcde"))[part][copies[2]])
    assert sorted(chosen) == sorted(taken)


def test_the_boundary_is_the_prefix_in_which_the_target_is_reached() -> None:
    histogram = Histogram()
    histogram.add_documents(KEYS, LENGTHS)
    assert find_boundary(histogram, 5) == Boundary(prefix=0, tokens_below=0, documents_below=0)
    assert find_boundary(histogram, 6) == Boundary(prefix=7, tokens_below=5, documents_below=1)
    assert find_boundary(histogram, 15) == Boundary(prefix=65535, tokens_below=14, documents_below=4)


def test_documents_of_equal_hash_are_taken_in_array_order() -> None:
    keys = np.full(4, 11, np.uint64)
    parts = [
        BoundaryDocuments(file=1, keys=keys[:2], rows=np.array([0, 1]), lengths=np.array([1, 1])),
        BoundaryDocuments(file=0, keys=keys[2:], rows=np.array([5, 6]), lengths=np.array([1, 1])),
    ]
    last, documents, tokens = find_last(Boundary(prefix=0, tokens_below=0, documents_below=0), parts, 3)
    assert (last, documents, tokens) == (Rank(key=11, file=1, row=0), 3, 3)
    selection = Selection(passes=0, last=last, documents=3, tokens=3)
    assert copies_of(selection, keys[:2], file=0, first_row=5)[0].tolist() == [True, True]
    assert copies_of(selection, keys[:2], file=1, first_row=0)[0].tolist() == [True, False]
    assert copies_of(selection, keys[:2], file=2, first_row=0)[0].tolist() == [False, False]
    # Masks are the same however the rows of a file are read.
    assert copies_of(selection, keys[:1], file=1, first_row=1)[0].tolist() == [False]


def test_counts_are_unpickled_as_they_were_without_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are unpickled in threads; two that call `ast.parse` at once get a SystemError at times (Python 3.11)."""
    counted = Histogram()
    counted.add_documents(KEYS, LENGTHS)
    counted.tokens[5] = 1 << 40
    pickled = pickle.dumps(counted)
    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", None)
        back = pickle.loads(pickled)
    assert (back.tokens == counted.tokens).all() and (back.documents == counted.documents).all()
    assert back.tokens.dtype == counted.tokens.dtype == np.int64 and back.tokens.flags.writeable
    assert len(pickled) < counted.tokens.nbytes // 100


def test_a_smaller_target_takes_a_subset_of_a_larger_one() -> None:
    rng = np.random.default_rng(0)
    keys, lengths = rng.integers(0, 1 << 64, 5000, dtype=np.uint64), rng.integers(1, 40, 5000)
    histogram = Histogram()
    histogram.add_documents(keys, lengths)
    before = np.zeros(5000, np.bool_)
    for wanted in np.linspace(1, lengths.sum(), 60).astype(int):
        boundary = find_boundary(histogram, int(wanted))
        near = in_boundary(keys, boundary)
        part = BoundaryDocuments(file=0, keys=keys[near], rows=near, lengths=lengths[near])
        last, documents, tokens = find_last(boundary, [part], int(wanted))
        selection = Selection(passes=0, last=last, documents=documents, tokens=tokens)
        (mask,) = copies_of(selection, keys, file=0, first_row=0)
        assert (int(mask.sum()), int(lengths[mask].sum())) == (documents, tokens)
        assert wanted <= tokens < wanted + 40
        assert not (before & ~mask).any()
        before = mask
    assert before.all()
