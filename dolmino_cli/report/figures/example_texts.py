"""Documents just above and just below a bound, with their texts where the run wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dolmino_cli.errors import DataError
from dolmino_cli.pipeline.names import attributes_name
from dolmino_cli.report.figures.attributes import Attributes, Boundary
from dolmino_cli.report.figures.nearest import Row
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.shards.storage import join, list_names

TEXT_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True)
class Example:
    """One document near a bound. `text` is its beginning, at most TEXT_CHARACTERS; None where the run did not write it."""

    id: str
    score: float
    became: str
    """`kept`, `dropped: REASON`, or empty where the run decided nothing."""
    text: str | None
    is_cut: bool


@dataclass(frozen=True, kw_only=True)
class Examples:
    """The documents nearest to one bound, the nearest first."""

    boundary: Boundary
    kept: tuple[Example, ...]
    dropped: tuple[Example, ...]

    @property
    def lacks_texts(self) -> bool:
        """Whether some document's text is not there."""
        return any(example.text is None for example in (*self.kept, *self.dropped))


def examples_of(attributes: Attributes, boundaries: Sequence[Boundary], *, edited: bool) -> tuple[Examples, ...]:
    """The examples of every bound, with texts from `documents/` and, for those dropped, `rejects/`.

    A document is found by its place among the kept (or dropped) ones of its shard; its id must be the same, unless the recipe
    writes documents anew (`edited`), which gives them other ids.

    Raises DataError where these do not hold the documents that the attributes say.
    """
    sides = [(boundary.kept.found(), boundary.dropped.found()) for boundary in boundaries]
    rows = attributes.rows([row for both in sides for side in both for row, _ in side])
    texts = _texts(attributes, rows, check_kept=not edited)
    examples = []
    for boundary, both in zip(boundaries, sides, strict=True):
        kept, dropped = (tuple(_example(rows[row], score, texts.get(row)) for row, score in side) for side in both)
        examples.append(Examples(boundary=boundary, kept=kept, dropped=dropped))
    return tuple(examples)


def _example(record: Mapping[str, Any], score: float, text: str | None) -> Example:
    became = "" if "kept" not in record else "kept" if record["kept"] else f"dropped: {record['reason']}"
    cut = text is not None and len(text) > TEXT_CHARACTERS
    return Example(
        id=record["id"], score=score, became=became, text=text[:TEXT_CHARACTERS] if text is not None else None, is_cut=cut
    )


def _texts(attributes: Attributes, rows: Mapping[Row, Mapping[str, Any]], *, check_kept: bool) -> dict[Row, str]:
    """Texts of those rows whose documents were written."""
    texts: dict[Row, str] = {}
    for folder, is_kept in (("documents", True), ("rejects", False)):
        written = _written(join(attributes.root, folder))
        of_folder = {row: record for row, record in rows.items() if record.get("kept") is is_kept}
        for shard in sorted({row.shard for row in of_folder}):
            path = written.get(attributes.names[shard])
            if path is not None:
                here = {row: record for row, record in of_folder.items() if row.shard == shard}
                texts |= _read(path, here, check_ids=check_kept or not is_kept)
    return texts


def _written(folder: str) -> dict[str, str]:
    """Path of every shard of documents by the name of its attributes."""
    names = [name for suffix in (".jsonl", ".gz", ".zst", ".parquet") for name in list_names(folder, suffix)]
    return {attributes_name(name): join(folder, name) for name in names}


def _read(path: str, wanted: Mapping[Row, Mapping[str, Any]], *, check_ids: bool) -> dict[Row, str]:
    """The texts of documents by their rank in a shard; reading ends with the last."""
    by_rank = {record["rank"]: row for row, record in wanted.items()}
    texts: dict[Row, str] = {}
    first = 0
    for batch, _ in read_batches(path, records=False):
        for rank in sorted(rank for rank in by_rank if first <= rank < first + len(batch)):
            row = by_rank[rank]
            if check_ids and batch.id[rank - first].as_py() != wanted[row]["id"]:
                break
            texts[row] = batch.text[rank - first].as_py()
        first += len(batch)
        if first > max(by_rank):
            break
    if len(texts) < len(wanted):
        lost = next(record for row, record in wanted.items() if row not in texts)
        raise DataError(
            f"document {lost['rank'] + 1} is not {lost['id']!r}, as the attributes say; run the filter again", path=path
        )
    return texts
