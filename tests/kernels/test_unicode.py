"""White space, word characters and trimming are Python's and Rust's, for every code point."""

from __future__ import annotations

import re

import numba
import numpy as np

from dolmino_cli.kernels.unicode import decode, is_python_space, is_white_space, trim, word_characters

EVERY_CHARACTER = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


@numba.njit
def _classify(data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    codes, python, rust = np.empty(len(data), np.int64), np.empty(len(data), np.bool_), np.empty(len(data), np.bool_)
    at = count = 0
    while at < len(data):
        codes[count], size = decode(data, at, len(data))
        python[count], rust[count] = is_python_space(codes[count]), is_white_space(codes[count])
        at += size
        count += 1
    return codes[:count], python[:count], rust[:count]


@numba.njit
def _trimmed(data: np.ndarray, separators_too: bool) -> tuple[int, int]:
    return trim(data, 0, len(data), separators_too)


def test_every_code_point_is_decoded_and_classified() -> None:
    codes, python, rust = _classify(np.frombuffer("".join(EVERY_CHARACTER).encode(), np.uint8))
    assert codes.tolist() == [ord(character) for character in EVERY_CHARACTER]
    assert python.tolist() == [character.isspace() for character in EVERY_CHARACTER]
    # Unicode's White_Space is what Python calls space but for the four information separators.
    assert rust.tolist() == [character.isspace() and not "\x1c" <= character <= "\x1f" for character in EVERY_CHARACTER]


def test_word_characters_are_those_of_re() -> None:
    matched = {match.start() for match in re.finditer(r"\w", "".join(EVERY_CHARACTER))}
    table = word_characters()
    assert [bool(table[ord(character)]) for character in EVERY_CHARACTER] == [
        place in matched for place in range(len(EVERY_CHARACTER))
    ]


def test_trim_is_strip() -> None:
    texts = ["", " ", "a", " a ", "\u3000\u2003a b\u2028\n", "\x1fa\x1c", "\u00a0é\u00a0", "\u200ba\u200b", "  \x85  "]
    for text in texts:
        raw = text.encode()
        start, end = _trimmed(np.frombuffer(raw, np.uint8), True)
        assert raw[start:end].decode() == text.strip()
    start, end = _trimmed(np.frombuffer(b" \x1fa\x1c ", np.uint8), False)
    assert (start, end) == (1, 4), "Rust does not trim the information separators"


def test_bytes_that_are_no_utf8_are_not_read_past_their_end() -> None:
    for broken in (b"\xe3", b"\xf0\x9f", b"a\xc2", b"\xff\x80"):
        codes, _, _ = _classify(np.frombuffer(broken, np.uint8))
        assert len(codes) == len(broken)
