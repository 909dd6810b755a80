"""Every wording that a document can have, listed, so that they can be counted and looked at."""

from __future__ import annotations

from collections.abc import Iterator

from dolmino_cli.sources.arithmetic import columns, wordings
from dolmino_cli.sources.arithmetic.operations import OPERATIONS


def templates() -> dict[str, str]:
    """Pattern by name: the first part of `template` in a document's metadata, and the phrases that are the second part's.

    Placeholders as in `wordings.py` and `problem.py`. Notations and ways to write numbers multiply these; they are not counted.
    """
    return dict(_listed())


def _listed() -> Iterator[tuple[str, str]]:
    for group in (wordings.OF_EXPRESSIONS, wordings.WORKING, wordings.MARKED, wordings.IN_PYTHON, wordings.EXPLAINED):
        yield from ((wording.name, wording.pattern) for wording in group)
    for operation in OPERATIONS:
        for forms in operation.forms:
            yield from ((f"{forms.name}.{place}", phrase) for place, phrase in enumerate(forms.phrases))
            yield from ((wording.name, wording.pattern) for wording in (*forms.statements, *forms.exchanges))
    for head, title in enumerate(columns.HEADS):
        for line, pattern in enumerate(columns.LINES):
            for mark, number in enumerate(columns.MARKS if "\n" not in pattern else columns.MARKS[:1]):
                yield f"c{head}.{mark}.{line}", title + number + pattern
