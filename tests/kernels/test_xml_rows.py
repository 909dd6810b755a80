"""What the kernel takes as a row is what an XML parser reads there; whatever else it leaves to one."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from dolmino_cli.kernels.xml_rows import BLANK, MISSING, OTHER, ROW
from dolmino_cli.sources.stackexchange.posts import INTEGERS, TEXTS, scan

PLAIN = '<row Id="7" PostTypeId="2" Score="-3" Body="&lt;p&gt;a &amp; b&#xA;&#10;&quot;é&apos;&#x1F600;" Other="1" />'
# More attributes than the kernel keeps track of.
_NAMES = [chr(97 + number // 26) + chr(97 + number % 26) for number in range(70)]
MANY = f"""<row Id="7" PostTypeId="2" {" ".join(f'{name}="1"' for name in _NAMES)} />"""


def read(line: bytes) -> tuple[int, dict[str, object]]:
    data = np.frombuffer(bytearray(line), np.uint8)
    posts, kinds = scan(data, np.array([0]), np.array([len(data)]))
    if kinds[0] != ROW:
        return int(kinds[0]), {}
    integers = {name: int(posts.integer(name)[0]) for name in INTEGERS}
    return ROW, {**integers, **{name: posts.text(name)[0].as_py() for name in TEXTS}}


def expected(line: bytes) -> dict[str, object]:
    """By a real XML parser; raises where it refuses the line."""
    attributes = ElementTree.fromstring(line.decode("utf-8").strip()).attrib
    integers = {name: int(attributes[name]) if name in attributes else MISSING for name in INTEGERS}
    return {**integers, **{name: attributes.get(name, "") for name in TEXTS}}


def test_a_row_is_read() -> None:
    kind, values = read(b"  " + PLAIN.encode() + b"\r")
    assert kind == ROW
    assert values == expected(PLAIN.encode())
    assert values["Body"] == "<p>a & b\n\n\"é'\U0001f600"
    assert (values["Id"], values["Score"], values["ParentId"]) == (7, -3, MISSING)


@pytest.mark.parametrize("line", [b"", b" \t\r"])
def test_nothing_but_white_space_is_blank(line: bytes) -> None:
    assert read(line)[0] == BLANK


@pytest.mark.parametrize(
    "line",
    [
        "<posts>", "</posts>", "<row", "<row/>", "<rows Id='1' />", "text",
        "<row Id='7' PostTypeId='2' />",
        '<row Id="7" PostTypeId="2"></row>',
        '<row Id="7" PostTypeId="2" /> <!-- x -->',
        '<row Id="7" Id="7" PostTypeId="2" />',
        '<row Id="7" PostTypeId="2" New="1" New="2" />',
        '<row Id="7"PostTypeId="2" />',
        '<row Id = "7" PostTypeId="2" />',
        '<row Id="x" PostTypeId="2" />',
        '<row Id="&#49;" PostTypeId="2" />',
        '<row Id="" PostTypeId="2" />',
        '<row Id="1234567890123456789" PostTypeId="2" />',
        '<row Id="7" />',
        '<row PostTypeId="2" />',
        '<row Id="7" PostTypeId="2" Body="a<b" />',
        '<row Id="7" PostTypeId="2" Body="a & b" />',
        '<row Id="7" PostTypeId="2" Body="&nbsp;" />',
        '<row Id="7" PostTypeId="2" Body="&lt" />',
        '<row Id="7" PostTypeId="2" Body="&#;&#x;" />',
        '<row Id="7" PostTypeId="2" Body="&#0;" />',
        '<row Id="7" PostTypeId="2" Body="&#x1F;" />',
        '<row Id="7" PostTypeId="2" Body="&#xD800;" />',
        '<row Id="7" PostTypeId="2" Body="&#xFFFF;" />',
        '<row Id="7" PostTypeId="2" Body="&#x110000;" />',
        '<row Id="7" PostTypeId="2" Body="&#99999999999999999999;" />',
        '<row Id="7" PostTypeId="2" Body="\t" />',
        '<row Id="7" PostTypeId="2" Body="\uffff" />',
        MANY,
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_a_parser(line: str) -> None:
    assert read(line.encode())[0] == OTHER


def test_bytes_that_are_no_utf8_are_left_to_a_parser() -> None:
    assert read(PLAIN.encode().replace("é".encode(), b"\xe9"))[0] == OTHER
    assert read(PLAIN.encode().replace("é".encode(), b"\xed\xa0\x80"))[0] == OTHER  # a surrogate
    assert read(PLAIN.encode().replace("é".encode(), b"\xc0\xaf"))[0] == OTHER  # longer than need be


def test_damaged_rows_are_never_read_otherwise_than_a_parser_would() -> None:
    """Rows with bytes changed, taken out and doubled: each is OTHER, or has the parser's values."""
    dice = random.Random(5)
    base = PLAIN.encode() + b"  "
    pieces = [
        b'"',
        b"'",
        b"&",
        b";",
        b"<",
        b">",
        b" ",
        b"\t",
        b"=",
        b"#",
        b"x",
        b"0",
        b"9",
        b"/",
        b"\xef\xbf\xbf",
        b"\xc3",
        b"\x00",
    ]
    pieces += [b"&#x26;", b"&lt;", b"&#65;", b'Id="1"', b'Title="t"', b"row", b"&#xFFFE;", b"\xf0\x9f\x98\x80", b"]]>", b"--"]
    taken = 0
    for _ in range(20_000):
        line = bytearray(base)
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(line))
            line[at : at + dice.choice([0, 0, 1, 4])] = dice.choice(pieces)
        kind, values = read(bytes(line))
        if kind == ROW:
            taken += 1
            assert values == expected(bytes(line)), bytes(line)
    assert taken > 500
