"""Which windows of a part a trainer masks because they repeat themselves, found while the part is written.

The rule is OLMo's instance filter (olmo/data/util.py, find_periodic_sequences; max_period 13, min_period 1, max_count 32): a
window is masked when a unit of 1 to 13 tokens stands 32 times or more in a row inside it. What lies across a window's edge is
cut there; an end-of-text token breaks nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dolmino_cli.kernels.repetition import windows_repeat

MAX_PERIOD = 13
MIN_COUNT = 32


class WindowSearch:
    """Is given a part's tokens piece by piece, in order; says of every whole window whether it repeats itself."""

    def __init__(self, sequence_length: int, dtype: npt.DTypeLike) -> None:
        self._length = sequence_length
        self._begun = np.empty(sequence_length, dtype)  # the window that the pieces so far have not filled
        self._filled = 0
        self._found: list[npt.NDArray[np.bool_]] = []

    def add(self, tokens: npt.NDArray[np.unsignedinteger]) -> None:
        """The next tokens of the part; they are not kept."""
        if self._filled:
            taken = min(self._length - self._filled, len(tokens))
            self._begun[self._filled : self._filled + taken] = tokens[:taken]
            self._filled, tokens = self._filled + taken, tokens[taken:]
            if self._filled < self._length:
                return
            self._look(self._begun)
        whole = len(tokens) - len(tokens) % self._length
        self._look(tokens[:whole])
        self._filled = len(tokens) - whole
        self._begun[: self._filled] = tokens[whole:]

    def found(self) -> npt.NDArray[np.bool_]:
        """A value per window of the part; the tokens after the last whole one have none."""
        return np.concatenate(self._found) if self._found else np.empty(0, np.bool_)

    def _look(self, tokens: npt.NDArray[np.unsignedinteger]) -> None:
        if len(tokens):
            self._found.append(windows_repeat(tokens, self._length, MAX_PERIOD, MIN_COUNT))
