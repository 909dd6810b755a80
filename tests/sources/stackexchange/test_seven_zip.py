"""Posts.xml out of an archive, whole or not at all, however the archive is damaged; and no further than it is read."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.sources.stackexchange.seven_zip import open_posts, posts_bytes
from tests.sources.stackexchange.make import posts, question, write_7z

CONTENT = posts(question(number) for number in range(1, 50))


def read(path: Path) -> tuple[bytes, str | None]:
    with open_posts(str(path)) as stream:
        buffer = bytearray(len(CONTENT) + 100)
        return bytes(buffer[: stream.fill(memoryview(buffer))]), stream.problem


def test_the_member_is_read_whole(tmp_path: Path) -> None:
    path = write_7z(tmp_path / "x.com.7z", {"Badges.xml": b"<b/>", "Posts.xml": CONTENT, "Users.xml": b"<u/>"})
    assert read(path) == (CONTENT, None)
    assert posts_bytes(str(path)) == len(CONTENT)


def test_damage_never_gives_other_bytes(tmp_path: Path) -> None:
    path = write_7z(tmp_path / "x.com.7z", {"Badges.xml": b"<b/>", "Posts.xml": CONTENT})
    good, dice, refused = path.read_bytes(), random.Random(1), 0
    for _ in range(100):
        damaged = bytearray(good)
        damaged[dice.randrange(len(good))] ^= dice.randrange(1, 256)
        path.write_bytes(damaged)
        try:
            content, problem = read(path)
        except DataError:
            refused += 1
            continue
        assert problem is not None or content == CONTENT
        refused += problem is not None
    assert refused > 90


def test_an_archive_without_posts_says_what_it_has(tmp_path: Path) -> None:
    path = write_7z(tmp_path / "x.com.7z", {"Votes.xml": b"<v/>", "Users.xml": b"<u/>"})
    with pytest.raises(DataError, match=r"x\.com\.7z: the archive holds no Posts\.xml; in it: Votes\.xml, Users\.xml"):
        read(path)


def test_a_reader_may_stop_early(tmp_path: Path) -> None:
    path = write_7z(tmp_path / "x.com.7z", {"Posts.xml": random.Random(3).randbytes(8 << 20)})
    before = set(threading.enumerate())  # those of other tests may end meanwhile
    with open_posts(str(path)) as stream:
        assert stream.fill(memoryview(bytearray(10))) == 10
    assert set(threading.enumerate()) <= before
