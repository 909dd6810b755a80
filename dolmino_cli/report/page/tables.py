"""Tables with headed columns and rows, that scroll where a screen is too narrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from dolmino_cli.report.page.markup import Child, node


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column's heading. `kind` is a class of the stylesheet: `n` for numbers, `wide` is left out on narrow screens."""

    heading: str
    kind: str | None = None


def table(caption: str, headings: Sequence[Column], rows: Iterable[Element], *, kind: str | None = None) -> Element:
    """`rows` are made by `row`, with the same columns."""
    head = node("tr", (node("th", column.heading, scope="col", class_=column.kind) for column in headings))
    body = node("table", node("caption", caption), node("thead", head), node("tbody", rows), class_=kind)
    return node("div", body, class_="scroll", role="region", aria_label=caption, tabindex="0")


def row(headings: Sequence[Column], cells: Sequence[Child], *, kind: str | None = None) -> Element:
    """A row whose first cell heads it."""
    assert len(cells) == len(headings), f"{len(cells)} cells for {len(headings)} columns"
    first, *rest = zip(headings, cells, strict=True)
    return node(
        "tr",
        node("th", first[1], scope="row", class_=first[0].kind),
        (node("td", cell, class_=column.kind) for column, cell in rest),
        class_=kind,
    )
