"""Decontamination as people read it: what is in an index, what was found, document and instance side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from dolmino_cli.kernels.word_breaks import word_classes, word_spans
from dolmino_cli.report.amounts import big_bytes
from dolmino_cli.sources.contamination import Finding, TaskReport
from dolmino_cli.sources.planted import COLUMNS, LENGTHS, Clean, Recall
from dolmino_cli.stages.ngram_index import NgramIndex

_CONTEXT_CHARACTERS = 300
_MARK, _OPEN, _CLOSE = "bold red", "⟦", "⟧"  # brackets, for where there is no colour


def index_table(index: NgramIndex) -> Table:
    """A row per task and split."""
    words = "words as written" if index.words == "as_written" else "normalised words"
    table = Table(
        title=f"{index.instances:,} instances, {len(index.arrays['gram_at']):,} n-grams of {index.n} {words}",
        title_justify="left",
    )
    for heading in ("task", "split"):
        table.add_column(heading)
    for heading in ("instances", f"shorter than {index.n} words: whole", f"under {index.shortest} words: not matched"):
        table.add_column(heading, justify="right")
    for task in index.tasks:
        table.add_row(
            task.task, task.split, f"{task.instances:,}", f"{task.whole:,}", f"{task.too_short:,}" if task.too_short else ""
        )
    return table


def index_lines(index: NgramIndex, sha256: str) -> list[str]:
    """Size, memory and identity."""
    return [
        f"{big_bytes(index.file_bytes)} on disk; memory: {big_bytes(index.matching_bytes)} shared by all workers,"
        f" {big_bytes(index.worker_bytes)} more for each",
        f"sha256 {sha256}",
    ]


def too_short_lines(index: NgramIndex, *, most: int | None) -> list[str]:
    """Instances that are not matched, one a line; `most` of them."""
    numbers = np.flatnonzero(index.arrays["instance_grams"] == 0).tolist()
    if not numbers:
        return []
    lines = [f"too short to match: {len(numbers):,} instances of fewer than {index.shortest} words"]
    for number in numbers[:most]:
        lines.append(f"  {index.task_of(number).task}  {index.instance_id(number)}  {index.instance_text(number)!r}")
    if most is not None and len(numbers) > most:
        lines.append(f"  and {len(numbers) - most:,} more: --too-short lists all")
    return lines


def task_table(reports: Mapping[str, TaskReport]) -> Table:
    """A row per task with something found."""
    table = Table(title="documents dropped, by the task of the instance named", title_justify="left")
    table.add_column("task")
    reasons = sorted({reason for report in reports.values() for reason in report.by_reason})
    for heading in ("documents", "instances", *reasons):
        table.add_column(heading, justify="right")
    for task, report in reports.items():
        counts = [f"{report.by_reason.get(reason, 0):,}" for reason in reasons]
        table.add_row(task, f"{report.documents:,}", f"{len(report.instances):,}", *counts)
    return table


def side_by_side(finding: Finding, text: str, index: NgramIndex) -> Table:
    """The document's matching stretch with some text around it, and the instance; shared n-grams marked."""
    instance = index.instance_text(finding.number)
    table = Table(
        title=f"{finding.id} ({finding.shard}:{finding.line}): {finding.reason} {finding.share:.3g}",
        title_justify="left",
        width=140,
    )
    table.add_column("document", ratio=1)
    table.add_column(f"{finding.task} {finding.split} {finding.instance}", ratio=1)
    start, end = (len(text.encode()[:place].decode()) for place in (finding.start_byte, finding.end_byte))
    shown = slice(max(0, start - _CONTEXT_CHARACTERS), end + _CONTEXT_CHARACTERS)
    table.add_row(_marked(text, instance, index, shown), _marked(instance, text, index, slice(0, len(instance))))
    return table


def _marked(text: str, other: str, index: NgramIndex, shown: slice) -> Text:
    """`text` with every word marked that lies in an n-gram which the other has, too."""
    words, others = _words(text, index), _words(other, index)
    n = max(1, min(index.n, len(words), len(others)))
    held = {tuple(word for word, _, _ in others[at : at + n]) for at in range(len(others) - n + 1)}
    marked: list[list[int]] = []
    for at in range(len(words) - n + 1):
        if tuple(word for word, _, _ in words[at : at + n]) in held:
            start, end = words[at][1], words[at + n - 1][2]
            if marked and start <= marked[-1][1]:
                marked[-1][1] = end
            else:
                marked.append([start, end])
    result, done = Text("…" if shown.start else ""), shown.start
    for start, end in ((max(start, shown.start), min(end, shown.stop)) for start, end in marked):
        if start < end:
            result.append(text[done:start]).append(f"{_OPEN}{text[start:end]}{_CLOSE}", style=_MARK)
            done = end
    return result.append(text[done : shown.stop]).append("…" if shown.stop < len(text) else "")


def _words(text: str, index: NgramIndex) -> list[tuple[str, int, int]]:
    """(what is compared, start, end in characters) of every word."""
    data = text.encode()
    found = []
    for start, end in word_spans(np.frombuffer(data, np.uint8), word_classes()).tolist():
        word = data[start:end].decode()
        if index.words == "normalised":
            word = "".join(chr(code) for code in index.folded[[ord(character) for character in word]] if code)
        if word:
            found.append((word, start, end))
    characters = {0: 0}
    at = count = 0
    for character in text:
        at, count = at + len(character.encode()), count + 1
        characters[at] = count
    return [(word, characters[start], characters[end]) for word, start, end in found]


def recall_table(recalls: Iterable[Recall]) -> Table:
    """A row per form and length: percent found by each rule."""
    table = Table(title="instances planted in text that holds nothing else: percent found", title_justify="left")
    table.add_column("planted")
    table.add_column("words")
    for heading in ("instances", *COLUMNS):
        table.add_column(heading, justify="right")
    form = ""
    for recall in recalls:
        if form and recall.form != form:
            table.add_section()
        shares = [f"{100 * recall.found[rule] / recall.planted:.4g}" for rule in COLUMNS]
        table.add_row("" if recall.form == form else recall.form, _length(recall.least_words), f"{recall.planted:,}", *shares)
        form = recall.form
    return table


def clean_lines(clean: Clean, index: NgramIndex) -> Sequence[str]:
    """False positives per rule, and what the default rule named most."""
    total = max(clean.documents, 1)
    counts = ", ".join(f"{rule} {clean.flagged[rule]:,} ({100 * clean.flagged[rule] / total:.3g} %)" for rule in COLUMNS)
    lines = [f"of {clean.documents:,} documents taken to be clean, flagged by: {counts}"]
    for number, times in sorted(clean.named.items(), key=lambda item: (-item[1], item[0]))[:10]:
        lines.append(
            f"  {times:,} x {index.task_of(number).task} {index.instance_id(number)}: {index.instance_text(number)[:80]!r}"
        )
    return lines


def _length(least: int) -> str:
    following = [other for other in LENGTHS if other > least]
    return f"{least}-{following[0] - 1}" if following else f"{least} or more"
