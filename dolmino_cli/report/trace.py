"""What was traced, for people: a token with its document and text, a window's documents, a step by source, an id's places."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from dolmino_cli.mix.tracing.excerpt import Excerpt
from dolmino_cli.mix.tracing.origin import Origin
from dolmino_cli.mix.tracing.places import TakenDocument, Window
from dolmino_cli.mix.tracing.trace import TracedDocument, TracedId, TracedShare, TracedStep, TracedToken, TracedWindow, Tracer
from dolmino_cli.mix.tracing.trainer_order import Seen

_RECORD_CHARACTERS = 400
_OPEN, _CLOSE = "⟦", "⟧"  # around the token, for terminals and files without colours too

Row = tuple[str, str | Text]


def token_table(traced: TracedToken, tracer: Tracer) -> Table:
    """One token: where it is, what it is, its document, its window, when it is trained on, where it came from, its text."""
    place = traced.place
    rows: list[Row] = [
        ("token", f"{place.token:,} of {tracer.mix.tokens:,}: {place.part}, offset {place.offset:,}"),
        ("token id", f"{traced.token_id}" + (f"  {_quoted(traced.piece)}" if traced.piece is not None else "")),
        *_document_rows(place.document, tracer, position=place.position),
    ]
    if place.window is None:
        rows.append(("window", f"none: the last tokens of {place.part} fill no window, and are never trained on"))
    else:
        rows.append(("window", _window_text(place.window, place.offset)))
        rows += _seen_rows(traced.seen)
    rows += _origin_rows(traced.origin, place.document)
    if traced.excerpt is not None:
        rows.append(("text", _highlighted(traced.excerpt)))
    return _facts(rows)


def window_tables(traced: TracedWindow, tracer: Tracer) -> list[Table]:
    """A window and, one below the other, the documents in it with their share and text."""
    rows: list[Row] = [("window", _window_text(traced.window, None)), *_seen_rows(traced.seen)]
    rows.append(("documents", f"{len(traced.documents):,}"))
    return [_facts(rows), *(_share_table(share, tracer) for share in traced.documents)]


def step_table(traced: TracedStep, tracer: Tracer) -> Table:
    """What a step takes of every source."""
    of = "" if traced.rank is None else f" on rank {traced.rank:,}"
    total = len(traced.windows) * tracer.sequence_length
    title = f"step {traced.step:,}{of}: {len(traced.windows):,} windows, {total:,} tokens"
    table = Table(title=title, title_justify="left")
    table.add_column("source")
    for heading in ("tokens", "% of the step", "documents"):
        table.add_column(heading, justify="right")
    for share in traced.sources:
        table.add_row(share.source, f"{share.tokens:,}", f"{100 * share.tokens / total:.2f}", f"{share.documents:,}")
    table.add_section()
    documents = sum(share.documents for share in traced.sources)
    table.add_row("total", f"{total:,}", "100.00", f"{documents:,}", style="bold")
    return table


def id_tables(traced: TracedId, tracer: Tracer) -> list[Table | str]:
    """Every place of an id; in a line for each other source, what is known of it there."""
    tables: list[Table | str] = [_found_table(one, tracer) for one in traced.documents]
    if not traced.documents:
        tables.append(f"the mix has no document with the id {_quoted(traced.id)}")
    return [*tables, *(f"{source}: {why}" for source, why in traced.absent.items())]


def _found_table(found: TracedDocument, tracer: Tracer) -> Table:
    rows = _document_rows(found.document, tracer)
    if not found.windows:
        rows.append(("window", f"none: it lies in the last tokens of {found.document.part}, which are never trained on"))
    elif found.seen is None:
        rows.append(("window", _numbers(found.windows)))
    else:
        for window, seen in zip(found.windows, found.seen, strict=True):
            rows += [("window", f"{window:,}"), *_seen_rows(seen)]
    rows += _origin_rows(found.origin, found.document)
    if found.text is not None:
        rows.append(("text", _shown(found.text)))
    return _facts(rows)


def _share_table(share: TracedShare, tracer: Tracer) -> Table:
    document, part = share.share.document, share.share
    of_window = 100 * share.tokens / tracer.sequence_length
    whole = (
        "all of it"
        if share.tokens == document.tokens
        else f"its {part.start - document.start:,} to {part.end - document.start:,}"
    )
    rows: list[Row] = [
        ("tokens", f"{share.tokens:,} of the window ({of_window:.1f} %), {whole}"),
        *_document_rows(document, tracer),
        *_origin_rows(share.origin, document),
    ]
    if share.text is not None:
        rows.append(("text", _shown(share.text)))
    return _facts(rows)


def _document_rows(document: TakenDocument, tracer: Tracer, *, position: int | None = None) -> list[Row]:
    locked = tracer.mix.lock.sources[document.source]
    copies = locked.whole_passes + (locked.last_key is not None)
    partial = ", the partial pass" if document.copy == locked.whole_passes else ""
    at = "" if position is None else f"; this is its token {position:,}, from 0"
    return [
        ("document", _shown(document.id)),
        ("source", f"{document.source}, copy {document.copy + 1} of {copies}{partial}"),
        ("from", f"{_shown(document.src)}, line {document.loc:,}"),
        ("place", f"{document.part}, {document.start:,} to {document.end:,}: {document.tokens:,} tokens{at}"),
    ]


def _window_text(window: Window, offset: int | None) -> str:
    at = f"; this is its token {offset - window.start:,}" if offset is not None else ""
    masked = {True: "masked: it repeats itself", False: "not masked", None: "repetition not looked at for this length"}
    return f"{window.number:,}: {window.part}, {window.start:,} to {window.end:,}{at}; {masked[window.repeated]}"


def _seen_rows(seen: Sequence[Seen] | None) -> list[Row]:
    if seen is None:
        return []
    if not seen:
        return [("trained on", "never: its place in the order is after the last whole step")]
    return [("trained on", f"step {one.step:,}, rank {one.rank:,}, row {one.row:,}" + _epoch(one)) for one in seen]


def _epoch(seen: Seen) -> str:
    return f" (epoch {seen.epoch + 1})" if seen.epoch else ""


def _origin_rows(origin: Origin | None, document: TakenDocument) -> list[Row]:
    if origin is None:
        return []
    rows: list[Row] = [("shard", f"{_shown(origin.shard)}, line {document.loc:,}" + ("" if origin.record else " (not there)"))]
    if origin.input_line is not None:
        renamed = f", there with id {_quoted(origin.input_id)}" if origin.input_id not in (None, document.id) else ""
        rows.append(("input", f"{_shown(origin.input or 'not known')}, line {origin.input_line:,}{renamed}"))
    rows += [
        ("score" if not place else "", f"{name} {_value(value)}") for place, (name, value) in enumerate(origin.scores.items())
    ]
    if origin.record is not None:
        rows.append(("record", _record(origin.record)))
    return rows


def _record(record: str) -> str:
    """A record without its text, which stands below; cut where it is long."""
    try:
        fields = json.loads(record)
        record = json.dumps({name: value for name, value in fields.items() if name != "text"}, ensure_ascii=False)
    except (ValueError, AttributeError):
        pass  # as it is
    return _shown(record if len(record) <= _RECORD_CHARACTERS else record[:_RECORD_CHARACTERS] + "…")


def _highlighted(text: Excerpt) -> Text:
    before, after = "…" if text.cut_before else "", "…" if text.cut_after else ""
    token = (f"{_OPEN}{_shown(text.token)}{_CLOSE}", "bold reverse")
    return Text.assemble(before, _shown(text.before), token, _shown(text.after), after)


def _facts(rows: Iterable[Row]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value if isinstance(value, Text) else Text(value))
    return table


def _numbers(windows: Sequence[int]) -> str:
    return f"{windows[0]:,}" if len(windows) == 1 else f"{windows[0]:,} to {windows[-1]:,}"


def _value(value: Any) -> str:
    return "not measured" if value is None else f"{value:.6g}" if isinstance(value, float) else _shown(str(value))


def _quoted(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


def _shown(text: str) -> str:
    """Without the control characters that would move a terminal's cursor or colour it; line ends and tabs stay."""
    return "".join(one if one.isprintable() or one in "\n\t" else "�" for one in text)
