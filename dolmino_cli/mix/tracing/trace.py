"""From a token, a window, a step or an id of a mix to everything known of it, each answered by opening only what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dolmino_cli.mix.tracing.excerpt import Excerpt, excerpt, text_between
from dolmino_cli.mix.tracing.find_id import find_id
from dolmino_cli.mix.tracing.opened import OpenMix
from dolmino_cli.mix.tracing.origin import Origin, find_origin
from dolmino_cli.mix.tracing.places import (
    TakenDocument,
    TokenPlace,
    Window,
    WindowDocument,
    token_place,
    tokens_by_source,
    window_documents,
    window_place,
    windows_of_document,
)
from dolmino_cli.mix.tracing.trainer_order import Seen, TrainerOrder
from dolmino_cli.mix.windows import windows_of
from dolmino_cli.tokenizer.pieces import Pieces

if TYPE_CHECKING:
    from dolmino_cli.mix.tracing.find_text import Match


@dataclass(frozen=True, kw_only=True)
class TracedToken:
    """A token of a mix. `piece` and `excerpt` are None without a tokenizer, `seen` without an order, `origin` without roots."""

    place: TokenPlace
    token_id: int
    piece: str | None
    excerpt: Excerpt | None
    seen: tuple[Seen, ...] | None
    origin: Origin | None


@dataclass(frozen=True, kw_only=True)
class TracedShare:
    """What a window holds of one document, and its text (None without a tokenizer)."""

    share: WindowDocument
    tokens: int
    text: str | None
    origin: Origin | None


@dataclass(frozen=True, kw_only=True)
class TracedWindow:
    """A window of a mix and the documents in it, in its order."""

    window: Window
    seen: tuple[Seen, ...] | None
    documents: tuple[TracedShare, ...]


@dataclass(frozen=True, kw_only=True)
class SourceShare:
    """What a step takes of a source; a document counts once in every window that holds some of it."""

    source: str
    tokens: int
    documents: int


@dataclass(frozen=True, kw_only=True)
class TracedStep:
    """What one step trains on (or one rank of it), by source in the manifest's order."""

    step: int
    rank: int | None
    windows: tuple[int, ...]
    sources: tuple[SourceShare, ...]


@dataclass(frozen=True, kw_only=True)
class TracedDocument:
    """One place of a document. `windows` is empty for one in the tail of its part, `seen` has the steps of each window."""

    document: TakenDocument
    windows: tuple[int, ...]
    seen: tuple[tuple[Seen, ...], ...] | None
    text: str | None
    origin: Origin | None


@dataclass(frozen=True, kw_only=True)
class TracedId:
    """Every place of an id in a mix, and what is known of it for the sources that have none."""

    id: str
    documents: tuple[TracedDocument, ...]
    absent: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Tracer:
    """A mix with what it is looked at with: a tokenizer, a trainer's order, the folders that its documents came from.

    `context` is how many characters of text are shown of a document (None: all).
    """

    mix: OpenMix
    sequence_length: int
    pieces: Pieces | None = None
    order: TrainerOrder | None = None
    documents_roots: tuple[str, ...] = ()
    context: int | None = 300

    def token(self, token: int) -> TracedToken:
        """A token by its number through all parts. Raises ConfigError beyond the mix."""
        return self._traced(token_place(self.mix, token, sequence_length=self.sequence_length))

    def match(self, match: Match, text: str) -> TracedToken:
        """The token in which a text begins that was found, with that text in place of the token's own."""
        token = int(self.mix.part_starts[match.part]) + match.offset
        place = token_place(self.mix, token, sequence_length=self.sequence_length)
        return self._traced(place, byte=match.byte, length=len(text.encode()))

    def window(self, number: int) -> TracedWindow:
        """A window by its number through all parts. Raises ConfigError beyond the mix."""
        shares = window_documents(self.mix, number, sequence_length=self.sequence_length)
        return TracedWindow(
            window=window_place(self.mix, number, sequence_length=self.sequence_length),
            seen=self._seen_one(number),
            documents=tuple(
                TracedShare(
                    share=share,
                    tokens=share.tokens,
                    text=self._text(share.document.part, share.start, share.end),
                    origin=self._origin(share.document),
                )
                for share in shares
            ),
        )

    def step(self, step: int, *, rank: int | None) -> TracedStep:
        """What a step takes of every source, on all ranks or one. Raises ConfigError for a step or rank that is not there."""
        assert self.order is not None, "a step is one of a trainer's order"
        windows = self.order.windows_of_step(step, rank=rank)
        tokens, documents = tokens_by_source(self.mix, windows, sequence_length=self.sequence_length)
        counts = zip(self.mix.sources, tokens.tolist(), documents.tolist(), strict=True)
        shares = tuple(SourceShare(source=name, tokens=taken, documents=held) for name, taken, held in counts)
        return TracedStep(step=step, rank=rank, windows=tuple(windows.tolist()), sources=shares)

    def id(self, id: str) -> TracedId:
        """Every place of an id. Raises DataError when the mix does not hold what its lock says."""
        found = find_id(self.mix, id)
        windows = [tuple(windows_of_document(self.mix, one, sequence_length=self.sequence_length)) for one in found.documents]
        # All in one question: an epoch's order of 76M windows takes seconds.
        times = self._seen([window for of_document in windows for window in of_document])
        documents = []
        for document, held in zip(found.documents, windows, strict=True):
            seen, times = (None, None) if times is None else (times[: len(held)], times[len(held) :])
            documents.append(self._document(document, held, seen))
        return TracedId(id=id, documents=tuple(documents), absent=found.absent)

    def _document(
        self, document: TakenDocument, windows: tuple[int, ...], seen: tuple[tuple[Seen, ...], ...] | None
    ) -> TracedDocument:
        return TracedDocument(
            document=document,
            windows=windows,
            seen=seen,
            text=self._text(document.part, document.start, document.end),
            origin=self._origin(document),
        )

    def _traced(self, place: TokenPlace, *, byte: int = 0, length: int | None = None) -> TracedToken:
        part = [found.name for found in self.mix.parts].index(place.part)
        token_id = int(self.mix.token_ids(part, place.offset, place.offset + 1)[0])
        piece = text = None
        if self.pieces is not None:
            piece = self.pieces.of(token_id).decode("utf-8", "backslashreplace")
            context = self.context if self.context is not None else place.document.tokens * self.pieces.longest
            text = excerpt(self.mix, self.pieces, place, context=context, byte=byte, length=length)
        return TracedToken(
            place=place,
            token_id=token_id,
            piece=piece,
            excerpt=text,
            seen=self._seen_one(place.window.number) if place.window else None,
            origin=self._origin(place.document),
        )

    def _seen(self, windows: list[int]) -> tuple[tuple[Seen, ...], ...] | None:
        return tuple(self.order.seen(windows)) if self.order is not None else None

    def _seen_one(self, window: int) -> tuple[Seen, ...] | None:
        return self.order.seen([window])[0] if self.order is not None else None

    def _origin(self, document: TakenDocument) -> Origin | None:
        return find_origin(document, self.documents_roots) if self.documents_roots else None

    def _text(self, part: str, start: int, end: int) -> str | None:
        if self.pieces is None:
            return None
        return text_between(self.mix, self.pieces, part, start, end, characters=self.context)


def windows_in(mix: OpenMix, sequence_length: int) -> int:
    """How many windows of a length the mix has."""
    return int(windows_of([part.tokens for part in mix.parts], sequence_length).sum())
