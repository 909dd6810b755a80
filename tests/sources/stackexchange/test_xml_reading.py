"""However Posts.xml is written, its rows are those that an XML parser reads; what is no XML is refused at its line."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.kernels.xml_rows import MISSING
from dolmino_cli.shards.compression import PlainBytes
from dolmino_cli.shards.faults import OnError, Quarantined
from dolmino_cli.sources.stackexchange.posts import INTEGERS, TEXTS
from dolmino_cli.sources.stackexchange.xml_reading import read_posts
from tests.sources.stackexchange.make import HEAD, TAIL, answer, posts, question, row

Q, A = question(1, accepts=2), answer(2, to=1)


def read(content: bytes, on_error: OnError = "fail") -> tuple[list[dict[str, Any]], list[Quarantined]]:
    rows: list[dict[str, Any]] = []
    faulty: list[Quarantined] = []
    for batch, set_aside in read_posts(PlainBytes(io.BytesIO(content), "plain"), "Posts.xml", on_error=on_error):
        columns = {name: batch.integer(name).tolist() for name in INTEGERS}
        columns |= {name: batch.text(name).to_pylist() for name in TEXTS}
        rows += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        faulty += set_aside
    return rows, faulty


def parsed(content: bytes) -> list[dict[str, Any]]:
    rows = [element.attrib for element in ElementTree.fromstring(content)]
    return [
        {name: int(one[name]) if name in one else MISSING for name in INTEGERS} | {name: one.get(name, "") for name in TEXTS}
        for one in rows
    ]


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda one: int(one["Id"]))


LONG = question(3, Body="long " * 500_000)
FORMS = {
    "as dumps are": posts([Q, A]),
    "no rows": posts([]),
    "no declaration": b"<posts>\n" + Q + A + b"</posts>\n",
    "no line end at the end, none between": posts([Q.strip(), A.strip()]),
    "single quotes": posts([Q, b"<row Id='5' PostTypeId='2' Body='say \"a\"'/>\n", A]),
    "a comment": posts([Q, b"<!-- <row Id='9' PostTypeId='1' />\n", question(9), b"-->\n", A]),
    "a comment after a row": posts([Q.replace(b"/>", b"/> <!-- x -->"), A]),
    "CDATA": posts([Q, b"<![CDATA[\n", question(9), b"]]>\n", A]),
    "an instruction": posts([Q, b"<?x\n", question(9), b"?>\n", A]),
    "a row over several lines": posts([Q, b"<row Id='5'\n\n PostTypeId='2'\n Body='a\nb\tc\r\nd' />", A]),
    "an attribute whose line looks like a whole row": posts([Q, b'<row Id="5" PostTypeId="2" Body="a />\nb" />\n', A]),
    "a comment that begins behind a row": posts([Q.replace(b"/>", b"/> <!-- x/>"), question(9), b"-->\n", A]),
    "two rows a line": posts([Q.strip() + A.strip()]),
    "a tab in a value": posts([Q, b'<row Id="5" PostTypeId="2" Body="a\tb" />\n', A]),
    "an element with an end tag": posts([Q, b'<row Id="5" PostTypeId="2"></row>\n', A]),
    "references": posts([row(Id=5, PostTypeId=1, Title="&<>\"'\n\x85\u2028é\U0001f600"), A]),
    "an attribute nobody knows": posts([row(Id=5, PostTypeId=1, Neu="1"), A]),
    "another encoding": (HEAD[3:].replace(b"utf-8", b"utf-16") + Q + A + TAIL).decode().encode("utf-16"),
    "latin-1": HEAD[3:].replace(b"utf-8", b"iso-8859-1") + b'<row Id="5" PostTypeId="2" Body="\xe9" />\n' + TAIL,
    "a row over a block": posts([Q, LONG, A]),
    "a row over the longest line": posts([Q, question(3, Body="long " * 2_000_000), A]),
    "many blocks": posts(question(number, accepts=number + 1, Body="x" * 1000) for number in range(1, 3000)),
    "many blocks, by expat": posts(
        [b"<!-- -->", *(question(number, accepts=number + 1, Body="é" * 1000) for number in range(1, 3000))]
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_those_of_an_xml_parser(form: str) -> None:
    rows, faulty = read(FORMS[form])
    assert faulty == []
    assert by_id(rows) == by_id(parsed(FORMS[form]))


LAUGHS = b'<!DOCTYPE posts [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
MALFORMED = {
    "empty": (b"", r"Posts\.xml: no <posts>"),
    "another table": (HEAD.replace(b"posts", b"comments"), r"Posts\.xml:2: <comments> where <posts> is expected"),
    "no XML": (b"id,title\n1,x\n", r"Posts\.xml:1: XML that is not well formed: syntax error"),
    "unclosed": (HEAD + Q + A, r"Posts\.xml:4: the file ends before </posts>: it is cut short"),
    "cut inside a row": (HEAD + Q + A[:40], r"Posts\.xml:4: XML that is not well formed: unclosed token"),
    "cut inside a comment": (HEAD + Q + b"<!-- \n\n", r"Posts\.xml:4: XML that is not well formed: unclosed token"),
    "billion laughs": (HEAD.replace(b"<posts>", LAUGHS + b"<posts>"), r"Posts\.xml:2: a document type \(posts\) is declared"),
    "billion laughs among the rows": (posts([Q, LAUGHS]), r"Posts\.xml:4: XML that is not well formed: not well-formed"),
    "after the end": (posts([Q]) + b"\n" + A, r"Posts\.xml:5: XML that is not well formed: junk after document element"),
    "a row before": (Q + A, r"Posts\.xml:1: <row> where <posts> is expected"),
    "another element": (posts([Q, b"<post Id='1' />\n"]), r"Posts\.xml:4: <post> where <row> is expected"),
    "another element beside": (posts([Q.replace(b"/>", b"/><x Id='5' PostTypeId='1'/>")]), r"Posts\.xml:3: <x> where <row> is"),
    "a row inside": (posts([b"<row Id='3' PostTypeId='1'><row/></row><row Id='4' PostTypeId='1'/>"]), r"<row> inside a row"),
    "an element inside": (posts([Q, b"<row Id='3' PostTypeId='1'><a/></row>"]), r"Posts\.xml:4: <a> inside a row"),
}


@pytest.mark.parametrize("fault", MALFORMED)
@pytest.mark.parametrize("on_error", ["fail", "quarantine"])
def test_what_is_no_dump_is_refused_at_its_line(fault: str, on_error: OnError) -> None:
    content, message = MALFORMED[fault]
    with pytest.raises(DataError) as caught:
        read(content, on_error)
    assert re.search(message, str(caught.value)), caught.value


FAULTY = {
    "no integer": (row(Id=5, PostTypeId=1, Score="many"), "Score 'many' is not an integer"),
    "a fraction": (row(Id=5, PostTypeId=1, AcceptedAnswerId="2.5"), "AcceptedAnswerId '2.5' is not an integer"),
    "no id": (row(PostTypeId=1, Score=3), "a row without Id; attributes: PostTypeId, Score"),
    "no type": (row(Id=5, Score=3), "a row without PostTypeId"),
    "an unknown entity": (b'<row Id="5" PostTypeId="1" Title="&nbsp;" />\r\n', "XML that is not well formed: undefined entity"),
    "no character": (b'<row Id="5" PostTypeId="1" Title="&#x1F;" />\r\n', "reference to invalid character number"),
    "no UTF-8": (b'<row Id="5" PostTypeId="1" Title="\xff" />\r\n', r"not well-formed \(invalid token\)"),
}

NO_XML = [FAULTY[fault][0] for fault in ("an unknown entity", "no character", "no UTF-8")]


@pytest.mark.parametrize("fault", FAULTY)
@pytest.mark.parametrize("before", [b"", b"<!-- expat reads from here -->"], ids=["fast", "expat"])
def test_a_faulty_row_is_named_or_set_aside(fault: str, before: bytes) -> None:
    bad, reason = FAULTY[fault]
    content = HEAD + before + Q + bad + A + TAIL
    with pytest.raises(DataError, match=rf"Posts\.xml:4: .*{reason}"):
        read(content)
    if before and bad in NO_XML:
        return  # expat cannot go on after a row that is no XML: such a dump is refused whole
    rows, faulty = read(content, "quarantine")
    assert [one["Id"] for one in rows] == [1, 2]
    assert [one.line for one in faulty] == [4]
    assert re.search(reason, faulty[0].reason)
