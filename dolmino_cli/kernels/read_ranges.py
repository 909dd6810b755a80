"""Read many ranges of an open file into a buffer: the one kernel that is handed a file, as an open descriptor.

A call from Python for every document would cost more than reading it. Mapped memory would need no calls, but counts as memory
of the process, and a file that is cut short while it is mapped kills it.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types

# Ranges with less than this between them are read in one go; a call costs about as much as copying so many bytes.
_GAP_BYTES = 4096

_pread = types.ExternalFunction("pread", types.intp(types.int32, types.uintp, types.uintp, types.int64))


@numba.njit("b1(i8, i8, i8, u1[::1], i8)", cache=True, nogil=True)
def _read(descriptor: int, start: int, length: int, out: np.ndarray, place: int) -> bool:
    address = out.ctypes.data + place
    done = 0
    while done < length:
        count = _pread(types.int32(descriptor), types.uintp(address + done), types.uintp(length - done), start + done)
        if count <= 0:
            return False
        done += count
    return True


@numba.njit("i8(i8, i8[::1], i8[::1], i8[::1], u1[::1], u1[::1])", cache=True, nogil=True)
def read_ranges(
    descriptor: int, starts: np.ndarray, lengths: np.ndarray, places: np.ndarray, out: np.ndarray, buffer: np.ndarray
) -> int:
    """Read bytes starts[i] to starts[i] + lengths[i] of the file to out[places[i]:] for each i, int64 all.

    `starts` rise, so that close ranges can be read together through `buffer`; ranges are equal or do not overlap. Returns -1,
    or the first i whose range the file did not have or that could not be read.
    """
    first = 0
    while first < len(starts):
        end, last = starts[first] + lengths[first], first + 1
        while (
            last < len(starts)
            and starts[last] - end <= _GAP_BYTES
            and starts[last] + lengths[last] - starts[first] <= len(buffer)
        ):
            end = starts[last] + lengths[last]
            last += 1
        if last == first + 1:
            if not _read(descriptor, starts[first], lengths[first], out, places[first]):
                return first
        else:
            if not _read(descriptor, starts[first], end - starts[first], buffer, 0):
                return first
            for i in range(first, last):
                begin = starts[i] - starts[first]
                out[places[i] : places[i] + lengths[i]] = buffer[begin : begin + lengths[i]]
        first = last
    return -1
