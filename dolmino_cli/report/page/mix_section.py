"""One mix on the page: the whole as one bar, then every source planned, taken and published."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from dolmino_cli.report.amounts import big_tokens, percent
from dolmino_cli.report.figures.mix_figures import MixFigures, Share
from dolmino_cli.report.figures.token_lengths import TokenLengths
from dolmino_cli.report.page.bars import Segment, bar, columns
from dolmino_cli.report.page.markup import Child, foreign, node
from dolmino_cli.report.page.tables import Column, row, table
from dolmino_cli.report.phrases import mix_note, mix_size

COLOURS = 12
_SHARES = (
    Column(heading="source"),
    Column(heading="", kind="picture"),
    Column(heading="Mix %", kind="n"),
    Column(heading="planned", kind="n wide"),
    Column(heading="published", kind="n"),
    Column(heading="Source %", kind="n"),
    Column(heading="planned", kind="n wide"),
    Column(heading="epochs", kind="n"),
    Column(heading="tokens", kind="n"),
    Column(heading="documents", kind="n wide"),
)
_LENGTHS = (
    Column(heading="source"),
    Column(heading="", kind="picture"),
    Column(heading="median", kind="n"),
    Column(heading="mean", kind="n"),
    Column(heading="longest", kind="n wide"),
)


def mix_section(mix: MixFigures, *, anchor: str) -> Element:
    """The section of one mix."""
    return node(
        "section",
        node("h2", f"The mix {mix.name}", node("small", mix_size(mix), (foreign(label, class_="path") for label in mix.labels))),
        node("p", mix.description, class_="note") if mix.description else None,
        _whole(mix),
        _shares(mix),
        node("p", mix_note(mix), class_="note") if mix.is_sampled else None,
        _lengths(mix) if mix.lengths else None,
        id=anchor,
        class_="mix",
    )


def _whole(mix: MixFigures) -> Element:
    """All sources side by side in one bar, with a legend."""
    segments, start = [], 0.0
    for place, share in enumerate(mix.sources):
        title = f"{share.name}: {percent(share.mix_percent)}"
        segments.append(Segment(start=start, length=share.mix_percent, kind="source", colour=colour_of(place), title=title))
        start += share.mix_percent
    legend = (
        node(
            "li",
            node("span", class_="swatch", style=f"background:{colour_of(place)}"),
            f"{share.name} ",
            node("b", percent(share.mix_percent)),
        )
        for place, share in enumerate(mix.sources)
    )
    said = "Mix: " + ", ".join(f"{share.name} {percent(share.mix_percent)}" for share in mix.sources)
    return node("div", bar(said, segments, kind="whole"), node("ul", legend, class_="legend"))


def colour_of(place: int) -> str:
    """The colour of the source at `place` of its mix; it repeats after COLOURS."""
    return f"var(--c{place % COLOURS})"


def _shares(mix: MixFigures) -> Element:
    shares = (*mix.sources, *mix.groups)
    most = max(max(share.mix_percent, share.planned_mix_percent, share.published_mix_percent or 0) for share in shares)
    scale, groups = 100 / (most or 1), {group.name: group for group in mix.groups}
    rows = []
    for place, share in enumerate(mix.sources):
        group = groups.get(share.group)
        if group is not None and (place == 0 or mix.sources[place - 1].group != share.group):
            rows.append(_share_row(group, scale, None))
        rows.append(_share_row(share, scale, colour_of(place), inside=group is not None))
    total = ["total", "", "100 %", "", "", "", "", "", big_tokens(mix.tokens), f"{mix.documents:,}"]
    rows.append(row(_SHARES, total, kind="total"))
    key = node(
        "p",
        *(node("span", class_="key taken"), "taken" if mix.is_sampled else "foreseen", node("span", class_="key planned")),
        *("planned", node("span", class_="key published"), "published"),
        class_="note",
    )
    return node("div", table(f"Sources of {mix.name}: planned and taken", _SHARES, rows, kind="shares"), key)


def _share_row(share: Share, scale: float, colour: str | None, *, inside: bool = False) -> Element:
    marks = [(scale * share.planned_mix_percent, "planned")]
    published = share.published_mix_percent
    if published is not None:
        marks.append((scale * published, "published"))
    said = f"{share.name}: {percent(share.mix_percent, 2)} of the mix, planned {percent(share.planned_mix_percent, 2)}"
    said += f", published {published:g} %" if published is not None else ""
    segment = Segment(start=0, length=scale * share.mix_percent, kind="source" if colour else "group", colour=colour)
    cells: list[Child] = [
        share.name,
        bar(said, [segment], marks),
        percent(share.mix_percent, 2),
        percent(share.planned_mix_percent, 2),
        "" if published is None else f"{published:g} %",
        percent(share.source_percent, 2),
        percent(share.planned_source_percent, 2),
        f"{share.source_percent / 100:.3g}",
        big_tokens(share.taken),
        f"{share.documents:,}",
    ]
    return row(_SHARES, cells, kind="group" if share.is_group else "inside" if inside else None)


def _lengths(mix: MixFigures) -> Element:
    """Every source's lengths over one axis."""
    present = [one for one in mix.lengths if one.documents]
    first = min(next(place for place, count in enumerate(one.octaves) if count) for one in present)
    last = max(len(one.octaves) for one in present)
    axis = f"{1 << first:,} to {(1 << last) - 1:,} tokens, columns doubling"
    headings = [Column(heading=axis, kind="picture") if column.kind == "picture" else column for column in _LENGTHS]
    colours = {share.name: colour_of(place) for place, share in enumerate(mix.sources)}
    rows = (row(headings, [*_length_cells(one, first, last, colours[one.source])]) for one in present)
    return table("Tokens per document, as the mix holds them", headings, rows, kind="lengths")


def _length_cells(lengths: TokenLengths, first: int, last: int, colour: str) -> Iterator[Element | str]:
    counts = [*lengths.octaves, *[0] * (last - len(lengths.octaves))]
    said = [f"{1 << place:,} to {(2 << place) - 1:,} tokens: {count:,} documents" for place, count in enumerate(counts)]
    heights = [count / max(counts) for count in counts]
    yield lengths.source
    title = f"Lengths of {lengths.source}: {lengths.documents:,} documents"
    yield columns(title, heights[first:], said[first:], colour=colour)
    yield f"≈ {big_tokens(lengths.median)}"
    yield big_tokens(round(lengths.tokens / lengths.documents))
    yield big_tokens(lengths.most)
