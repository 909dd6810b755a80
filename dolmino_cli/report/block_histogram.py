"""A histogram in block characters."""

from __future__ import annotations

from dolmino_cli.report.amounts import short_number
from dolmino_cli.report.figures.histogram import BINS, Histogram
from dolmino_cli.report.figures.scale import bar_height, has_log_counts, tallest_bar
from dolmino_cli.report.phrases import histogram_note

_BLOCKS = " ▁▂▃▄▅▆▇█"
_LINES = 6


def histogram_lines(histogram: Histogram, unit: str) -> list[str]:
    """A line that describes it, the bars (zero's apart, where the axis is logarithmic), every bound below them, the axis."""
    heading = f"{histogram.score}: {histogram_note(histogram, unit)}"
    if not histogram.total:
        return [heading]
    zero = [histogram.zeros_kept + histogram.zeros_dropped, 0] if histogram.has_zeros else []
    counts = _columns(histogram)
    tallest, log_counts = tallest_bar(histogram), has_log_counts(histogram)
    heights = [round(8 * _LINES * bar_height(count, tallest, log_counts=log_counts)) for count in [*zero, *counts]]
    lines = ["".join(_BLOCKS[min(max(height - 8 * line, 0), 8)] for height in heights) for line in reversed(range(_LINES))]
    lines.append(("0 " if zero else "") + "─" * len(counts))
    for keep in histogram.keeps:
        for bound in keep.bounds:
            place = min(round(len(counts) * histogram.place(bound)), len(counts) - 1)
            lines.append(" " * (len(zero) + place) + f"▲ keep {keep.rule}")
    ends = f"{short_number(float(histogram.edges[0]))} to {short_number(float(histogram.edges[-1]))}"
    return [heading, *(f"  {line}".rstrip() for line in lines), f"  axis from {ends}"]


def _columns(histogram: Histogram) -> list[int]:
    """Every bin's count at its place; a wide bin takes several columns."""
    counts = (histogram.kept + histogram.dropped).tolist()
    columns = [0] * max(BINS, len(counts))
    places = [round(len(columns) * histogram.place(float(edge))) for edge in histogram.edges]
    for number, count in enumerate(counts):
        first = min(places[number], len(columns) - 1)
        for column in range(first, max(places[number + 1], first + 1)):
            columns[column] = max(columns[column], count)
    return columns
