"""Sentences that the page and the terminal share, and foreign text made fit to be shown."""

from __future__ import annotations

import re

from dolmino_cli.report.amounts import big_tokens, percent
from dolmino_cli.report.figures.histogram import Histogram
from dolmino_cli.report.figures.mix_figures import MixFigures
from dolmino_cli.report.figures.run_figures import RunFigures
from dolmino_cli.report.figures.scale import has_log_counts, tallest_bar

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f]")
_UNWRITABLE = re.compile("[\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def visible(text: str) -> str:
    """`text` with control characters as their pictures (␀) and what no page can hold as �; line ends and tabs stay."""
    return _UNWRITABLE.sub("�", _CONTROLS.sub(lambda found: chr(0x2400 + ord(found[0])), text.replace("\r\n", "\n")))


def histogram_note(histogram: Histogram, unit: str) -> str:
    """What the bars hold, what is in none, and how they are drawn."""
    spread = histogram.spread
    said = [f"{histogram.total:,} {unit}"]
    if histogram.total:
        said.append(f"tallest bar {tallest_bar(histogram):,}")
    if spread.nulls:
        said.append(f"{spread.nulls:,} not measured")
    if spread.not_finite:
        said.append(f"{spread.not_finite:,} NaN or infinite")
    if histogram.is_log and histogram.total:
        said.append("log axis")
    if has_log_counts(histogram):
        said.append("log counts")
    return " · ".join(said)


def mix_size(mix: MixFigures) -> str:
    """`112.94B tokens, published as 100B`; says where the mix is scaled, or only planned."""
    published = f", published as {big_tokens(mix.published_tokens)}" if mix.published_tokens is not None else ""
    scaled = f", at scale {mix.scale:g}" if mix.scale != 1 else ""
    return f"{big_tokens(mix.tokens)} tokens{published}{scaled}" + ("" if mix.is_sampled else ", not sampled yet")


def mix_note(mix: MixFigures) -> str:
    """What a trainer will see of the mix, in a sentence."""
    masked = percent(100 * mix.repeated_windows / mix.windows if mix.windows else 0.0, 2)
    lost = percent(100 * mix.tail_tokens / mix.tokens if mix.tokens else 0.0, 3)
    return (
        f"{mix.windows:,} windows of {mix.sequence_length:,} tokens in {counted(mix.parts, 'part')}; {mix.repeated_windows:,}"
        f" ({masked}) are masked because they repeat an n-gram 32 times or more; {mix.tail_tokens:,} tokens ({lost}) at the"
        f" ends of parts fill no window and are never seen. Seed {mix.seed}."
    )


def account(run: RunFigures) -> str:
    """Where everything went, as an equation."""
    if not run.decided:
        return f"{run.kept:,} {run.unit}; nothing decided"
    return f"{run.records_in:,} {run.unit} in = {run.kept:,} kept + {run.dropped:,} dropped + {run.quarantined:,} quarantined"


def unfinished_note(run: RunFigures) -> str:
    """What to say of a run that is not whole."""
    return f"This run is not finished: figures are of the shards that are done, of {run.shards:,}."


def counted(number: int, one: str, several: str | None = None) -> str:
    """`1 part`, `3 parts`; `several` where it is not `one` and an s."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"
