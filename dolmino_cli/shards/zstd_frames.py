"""Where zstd frames end, so that a whole file can be told from a cut one: the decompressor reads both alike."""

from __future__ import annotations

_SKIPPABLE = 0x184D2A50  # the low 4 bits are free
_DICTIONARY_ID_BYTES = (0, 1, 2, 4)
_RLE_BLOCK = 1


class FrameFollower:
    """Follows frame and block headers (RFC 8878, section 3.1) of a stream given in pieces, skipping all content.

    It costs a few operations per block (128 KiB of content) and decides nothing but `complete`; what is wrong inside a
    frame is the decompressor's to find.
    """

    def __init__(self) -> None:
        self._field = "magic"
        self._wanted_bytes = 4
        self._held = b""
        self._skip_bytes = 0
        self._checksum_bytes = 0

    @property
    def complete(self) -> bool:
        """Whether the stream may end here: between frames. True of no bytes at all."""
        return self._field == "magic" and not self._held and not self._skip_bytes

    def feed(self, piece: bytes) -> None:
        """Follow the next piece of the stream."""
        position, end = 0, len(piece)
        while position < end:
            if self._skip_bytes:
                step = min(self._skip_bytes, end - position)
                self._skip_bytes -= step
                position += step
                continue
            taken = piece[position : position + self._wanted_bytes - len(self._held)]
            position += len(taken)
            self._held += taken
            if len(self._held) == self._wanted_bytes:
                value = int.from_bytes(self._held, "little")
                self._held = b""
                getattr(self, f"_after_{self._field}")(value)

    def _expect(self, field: str, size_bytes: int) -> None:
        self._field, self._wanted_bytes = field, size_bytes

    def _after_magic(self, value: int) -> None:
        if value & 0xFFFFFFF0 == _SKIPPABLE:
            self._expect("skippable_size", 4)
        else:
            self._expect("descriptor", 1)

    def _after_skippable_size(self, value: int) -> None:
        self._skip_bytes = value
        self._expect("magic", 4)

    def _after_descriptor(self, value: int) -> None:
        single_segment = value >> 5 & 1
        content_size_bytes = (single_segment, 2, 4, 8)[value >> 6]
        window_bytes = 1 - single_segment
        self._checksum_bytes = 4 * (value >> 2 & 1)
        self._skip_bytes = window_bytes + _DICTIONARY_ID_BYTES[value & 3] + content_size_bytes
        self._expect("block", 3)

    def _after_block(self, value: int) -> None:
        last, kind, size_bytes = value & 1, value >> 1 & 3, value >> 3
        self._skip_bytes = 1 if kind == _RLE_BLOCK else size_bytes
        if last:
            self._skip_bytes += self._checksum_bytes
            self._expect("magic", 4)
