"""Bars as inline SVG that stretches with its table cell; figures stand beside them as text, so that they scale with no font."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from dolmino_cli.report.page.markup import node

_LEAST_WIDTH = 0.4  # of 100: what is there at all can be seen


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One piece of a bar, in percent of its width. `kind` is a class of the stylesheet; `colour` one of its source colours."""

    start: float
    length: float
    kind: str
    colour: str | None = None
    title: str | None = None


def bar(title: str, segments: Iterable[Segment], marks: Sequence[tuple[float, str]] = (), *, kind: str = "") -> Element:
    """A horizontal bar of 0 to 100 with pieces and vertical marks (place, class). `title` says the same in words."""
    return node(
        "svg",
        node("title", title),
        (_piece(segment) for segment in segments if segment.length > 0),
        (
            node(
                "line",
                x1=place,
                x2=place,
                y1=-2.5 if name == "published" else 0,
                y2=12.5 if name == "published" else 10,
                class_=f"mark {name}",
            )
            for place, name in marks
        ),
        class_=f"bar {kind}".strip(),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        role="img",
        aria_label=title,
    )


def columns(title: str, heights: Sequence[float], titles: Sequence[str], *, colour: str) -> Element:
    """Small vertical bars side by side; heights are shares of the tallest."""
    return node(
        "svg",
        node("title", title),
        (
            node("rect", node("title", said), x=place + 0.06, y=100 - 100 * height, width=0.88, height=100 * height, fill=colour)
            for place, (height, said) in enumerate(zip(heights, titles, strict=True))
            if height > 0
        ),
        class_="columns",
        viewBox=f"0 0 {max(len(heights), 1)} 100",
        preserveAspectRatio="none",
        role="img",
        aria_label=title,
    )


def _piece(segment: Segment) -> Element:
    width = max(segment.length, _LEAST_WIDTH)
    return node(
        "rect",
        node("title", segment.title) if segment.title else None,
        x=min(segment.start, 100 - width),
        y=0,
        width=width,
        height=10,
        class_=segment.kind,
        fill=segment.colour,
    )
