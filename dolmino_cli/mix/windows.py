"""The windows that a trainer cuts a mix into, their order, and which of them repeat themselves: numpy only, for the trainer too.

A window is `sequence_length` consecutive tokens of one part; windows do not overlap, and a part's last tokens that fill none
are never seen (OLMo, olmo/data/memmap_dataset.py). Windows are numbered through the parts in the order of the lock.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SEQUENCE_LENGTH = 4096
# 16 times the longest context that models are trained on; a window is held in memory.
MOST_SEQUENCE_LENGTH = 1 << 24
REPEATED_SUFFIX = ".repeated.bin"


def repeated_name(part: str) -> str:
    """`part-00000.npy` -> `part-00000.repeated.bin`: one bit per window, the lowest bit of the first byte is window 0."""
    return part.removesuffix(".npy") + REPEATED_SUFFIX


def pack_windows(repeated: npt.NDArray[np.bool_]) -> bytes:
    """The bits of a part's windows: is its loss to be masked because it repeats an n-gram 32 times or more?"""
    return np.packbits(repeated, bitorder="little").tobytes()


def unpack_windows(data: bytes, windows: int) -> npt.NDArray[np.bool_]:
    """The opposite of `pack_windows`."""
    return np.unpackbits(np.frombuffer(data, np.uint8), count=windows, bitorder="little").astype(np.bool_)


def windows_of(part_tokens: Sequence[int], sequence_length: int) -> npt.NDArray[np.int64]:
    """How many windows each part has."""
    return np.asarray(part_tokens, np.int64) // sequence_length


def window_order(windows: int, *, seed: int, epoch: int = 0) -> npt.NDArray[np.uint32]:
    """The windows in the order in which an epoch trains on them, the same for every number of GPUs.

    PCG64(seed + epoch) shuffles their numbers (OLMo, olmo/data/iterable_dataset.py).
    """
    order = np.arange(windows, dtype=np.uint32)
    np.random.Generator(np.random.PCG64(seed + epoch)).shuffle(order)
    return order


def place_in_order(*, step: int, rank: int, row: int, world_size: int, batch_sequences: int, windows: int) -> tuple[int, int]:
    """(epoch, position in that epoch's order) of row `row` of rank `rank` in step `step` (the first step is 1).

    A step takes `batch_sequences` consecutive windows of the order and deals them out to the ranks one by one; windows that
    fill no whole step are left out of their epoch.
    """
    steps_per_epoch = windows // batch_sequences
    epoch, step_in_epoch = divmod(step - 1, steps_per_epoch)
    return epoch, step_in_epoch * batch_sequences + row * world_size + rank
