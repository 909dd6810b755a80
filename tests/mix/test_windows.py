"""The windows of a mix: bits, order, and the place of a step's row in it."""

from __future__ import annotations

import numpy as np

from dolmino_cli.mix.windows import pack_windows, place_in_order, unpack_windows, window_order, windows_of


def test_bits_come_back_lowest_first() -> None:
    repeated = np.array([True, False, False, True, False, False, False, False, True])
    assert pack_windows(repeated) == bytes([0b1001, 1])
    assert np.array_equal(unpack_windows(pack_windows(repeated), 9), repeated)


def test_a_tail_that_fills_no_window_is_none() -> None:
    assert windows_of([8191, 8192, 4095], 4096).tolist() == [1, 2, 0]


def test_the_order_is_that_of_a_seeded_shuffle_of_all_windows() -> None:
    wanted = np.arange(1000)
    np.random.Generator(np.random.PCG64(42 + 3)).shuffle(wanted)
    assert np.array_equal(window_order(1000, seed=42, epoch=3), wanted)


def test_the_ranks_of_a_step_share_its_windows_whatever_their_number() -> None:
    for world_size in (1, 2, 4, 8):
        rows = 8 // world_size
        places = [
            place_in_order(step=3, rank=rank, row=row, world_size=world_size, batch_sequences=8, windows=100)
            for rank in range(world_size)
            for row in range(rows)
        ]
        assert sorted(places) == [(0, 16 + i) for i in range(8)]


def test_the_next_epoch_begins_after_the_last_whole_step() -> None:
    # 100 windows are 12 steps of 8: step 13 is the second epoch's first.
    assert place_in_order(step=12, rank=0, row=7, world_size=1, batch_sequences=8, windows=100) == (0, 95)
    assert place_in_order(step=13, rank=0, row=0, world_size=1, batch_sequences=8, windows=100) == (1, 0)
