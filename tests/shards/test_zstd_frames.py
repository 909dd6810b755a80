"""FrameFollower: a stream is complete exactly where a frame ends."""

from __future__ import annotations

import random

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dolmino_cli.shards.zstd_frames import FrameFollower

INCOMPRESSIBLE = random.Random(1).randbytes(300_000)
SKIPPABLE = (0x184D2A53).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"hello"


def frame(content: bytes, *, checksum: bool = False, size: bool = True) -> bytes:
    compressor = zstandard.ZstdCompressor(write_checksum=checksum, write_content_size=size)
    if size:
        return compressor.compress(content)
    streaming = compressor.compressobj()
    return streaming.compress(content) + streaming.flush()


FRAMES = {
    "empty": frame(b""),
    "one byte": frame(b"a"),
    "checksum": frame(b"some text " * 9, checksum=True),
    "repeated byte": frame(b"x" * 1_000_000),  # RLE blocks
    "raw blocks": frame(INCOMPRESSIBLE),
    "unknown size": frame(b"some text " * 100_000, size=False, checksum=True),
    "skippable": SKIPPABLE,
    "empty skippable": (0x184D2A50).to_bytes(4, "little") + bytes(4),
}


def complete_after(stream: bytes, pieces: int) -> bool:
    follower = FrameFollower()
    for start in range(0, len(stream), pieces):
        follower.feed(stream[start : start + pieces])
    return follower.complete


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_complete_at_its_last_byte_only(name: str) -> None:
    stream = FRAMES[name]
    cuts = range(1, len(stream)) if len(stream) < 500 else [*range(1, 60), *range(len(stream) - 60, len(stream))]
    assert [cut for cut in cuts if complete_after(stream[:cut], 1 << 20)] == []
    assert complete_after(stream, 1 << 20)
    assert complete_after(stream, 7)


def test_no_bytes_are_complete() -> None:
    assert FrameFollower().complete


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(FRAMES)), max_size=4), st.integers(50, 5000))
def test_frames_in_a_row_in_any_pieces(names: list[str], pieces: int) -> None:
    assert complete_after(b"".join(FRAMES[name] for name in names), pieces)
