"""Parts are equal slices of the key space, and as many as hold the wanted number of tokens."""

from __future__ import annotations

import pytest

from dolmino_cli.mix.sampling.gather import first_key, part_count


@pytest.mark.parametrize(("tokens", "per_file", "parts"), [(0, 10, 1), (1, 10, 1), (10, 10, 1), (11, 10, 2), (95, 10, 10)])
def test_how_many_parts(tokens: int, per_file: int, parts: int) -> None:
    assert part_count(tokens, per_file) == parts


def test_slices_are_pinned_because_they_decide_which_file_a_document_is_in() -> None:
    assert [first_key(part, 1) for part in (0, 1)] == [0, 1 << 64]
    assert [first_key(part, 4) for part in range(5)] == [0, 1 << 62, 1 << 63, 3 << 62, 1 << 64]
    # ceil(2**32 / 3) and ceil(2 * 2**32 / 3) in the upper 32 bits.
    assert [first_key(part, 3) for part in range(4)] == [0, 0x55555556 << 32, 0xAAAAAAAB << 32, 1 << 64]
