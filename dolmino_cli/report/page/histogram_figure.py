"""A histogram as a figure: bars in SVG, stretched to the page; axis and bounds labelled in text, readable at any width."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from dolmino_cli.report.amounts import short_number
from dolmino_cli.report.figures.histogram import Histogram
from dolmino_cli.report.figures.scale import bar_height, has_log_counts, tallest_bar, ticks
from dolmino_cli.report.page.markup import node
from dolmino_cli.report.phrases import histogram_note

_WIDTH, _HEIGHT = 1000, 100
_SIGNS = (("at_least", "≥", True), ("above", ">", True), ("at_most", "≤", False), ("below", "<", False))


def histogram_figure(histogram: Histogram, unit: str) -> Element:
    """The figure of one score."""
    log_counts = has_log_counts(histogram)
    tallest = tallest_bar(histogram)
    labels = list(_bound_labels(histogram))
    return node(
        "figure",
        node("figcaption", node("strong", histogram.score), node("span", histogram_note(histogram, unit), class_="note")),
        node(
            "div",
            node("div", labels, class_="bounds", style=f"height:{1.35 * max(len(labels), 1):g}em"),
            node(
                "div",
                _zero_plot(histogram, tallest, log_counts) if histogram.has_zeros else None,
                node("div", _plot(histogram, tallest, log_counts, unit), class_="plot"),
                class_="plots",
            ),
            node("div", _tick_labels(histogram), class_="ticks"),
            class_="with-zero" if histogram.has_zeros else None,
        )
        if histogram.total
        else node("p", "No document has this score.", class_="empty"),
        class_="histogram",
    )


def _plot(histogram: Histogram, tallest: int, log_counts: bool, unit: str) -> Element:
    places = [_WIDTH * histogram.place(float(edge)) for edge in histogram.edges]
    groups = []
    for number, (kept, dropped) in enumerate(zip(histogram.kept.tolist(), histogram.dropped.tolist(), strict=True)):
        if kept + dropped:
            low, high = histogram.edges[number : number + 2].tolist()
            said = f"{short_number(low)} to {short_number(high)}: {_counts(kept, dropped, unit)}"
            groups.append(_column(said, places[number], places[number + 1], kept, dropped, tallest, log_counts))
    bounds = [_WIDTH * histogram.place(bound) for keep in histogram.keeps for bound in keep.bounds]
    lines = [node("line", x1=place, x2=place, y1=0, y2=_HEIGHT, class_="bound") for place in bounds]
    rules = " and ".join(keep.rule for keep in histogram.keeps)
    title = f"Histogram of {histogram.score}" + (f", kept where {rules}" if rules else "")
    return _svg(title, groups, lines, width=_WIDTH)


def _zero_plot(histogram: Histogram, tallest: int, log_counts: bool) -> Element:
    kept, dropped = histogram.zeros_kept, histogram.zeros_dropped
    said = f"0: {_counts(kept, dropped, 'documents')}"
    return node("div", _svg(said, [_column(said, 10, 90, kept, dropped, tallest, log_counts)], [], width=100), class_="zero")


def _svg(title: str, groups: list[Element], lines: list[Element], *, width: int) -> Element:
    return node(
        "svg",
        node("title", title),
        groups,
        lines,
        viewBox=f"0 0 {width} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=title,
    )


def _column(said: str, left: float, right: float, kept: int, dropped: int, tallest: int, log_counts: bool) -> Element:
    height = _HEIGHT * bar_height(kept + dropped, tallest, log_counts=log_counts)
    of_kept = height * kept / (kept + dropped)
    gap = min(1.5, (right - left) / 8)
    x, width = left + gap / 2, right - left - gap
    return node(
        "g",
        node("title", said),
        node("rect", x=x, y=_HEIGHT - of_kept, width=width, height=of_kept, class_="kept") if kept else None,
        node("rect", x=x, y=_HEIGHT - height, width=width, height=height - of_kept, class_="dropped") if dropped else None,
        node("rect", x=left, y=0, width=right - left, height=_HEIGHT, class_="hover"),
    )


def _counts(kept: int, dropped: int, unit: str) -> str:
    parts = [f"{number:,} {side}" for number, side in ((kept, "on the kept side"), (dropped, "on the dropped side")) if number]
    return f"{kept + dropped:,} {unit}" + (f" ({', '.join(parts)})" if dropped else "")


def _bound_labels(histogram: Histogram) -> Iterator[Element]:
    """A label per bound, each on a line of its own, on the side where it has room."""
    for keep in histogram.keeps:
        for name, sign, keeps_right in _SIGNS:
            bound = getattr(keep, name)
            if bound is None:
                continue
            place = histogram.place(bound)
            said = f"keep {sign} {bound:.7g}"
            text = f"{said} →" if keeps_right else f"← {said}"
            starts = place < 0.25 or (keeps_right and place < 0.7)
            side = f"left:{100 * place:.2f}%" if starts else f"right:{100 - 100 * place:.2f}%"
            yield node("span", node("b", text, class_="to-right" if starts else "to-left", style=side))


def _tick_labels(histogram: Histogram) -> Iterator[Element]:
    if histogram.has_zeros:
        yield node("span", "0", class_="at-zero")
    yield node("div", (_tick(histogram.place(value), short_number(value)) for value in ticks(histogram)))


def _tick(place: float, text: str) -> Element:
    side = "start" if place < 0.03 else "end" if place > 0.97 else "middle"
    return node("span", text, class_=side, style=f"left:{100 * place:.2f}%")
