"""Where things are in a mix: the document and the window that a token is in, and the documents that a window holds.

Lookups are bisections over what a part's provenance file says; only the parts concerned are opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.tracing.opened import OpenMix
from dolmino_cli.mix.windows import windows_of

_AT = re.compile(r"(?:part-)?(\d{1,18})(?:\.npy)?:([\d_,]{1,40})\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class TakenDocument:
    """One document as it stands in a mix: once per copy that was taken."""

    source: str
    copy: int
    """Which pass over the source, 0-based."""
    id: str
    src: str
    """The shard that it was tokenised from, by its name in the source."""
    loc: int
    """Its 1-based line (row of a Parquet file) in that shard."""
    part: str
    start: int
    """Its first token, counted in the part."""
    end: int
    """The token after its last, counted in the part; the last is the end-of-text token."""

    @property
    def tokens(self) -> int:
        """How many it has."""
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Window:
    """`end - start` consecutive tokens of one part that are trained on together."""

    number: int
    """0-based, through all parts in the order of the lock."""
    part: str
    start: int
    """Its first token, counted in the part."""
    end: int
    repeated: bool | None
    """Is its loss masked, as it repeats an n-gram 32 times or more? None where it was not looked at for this length."""


@dataclass(frozen=True, kw_only=True)
class TokenPlace:
    """One token of a mix. `window` is None for the last tokens of a part, which fill no window and are never trained on."""

    token: int
    """0-based, through all parts in the order of the lock."""
    part: str
    offset: int
    """Counted in the part."""
    position: int
    """Counted in its document, from 0."""
    document: TakenDocument
    window: Window | None


@dataclass(frozen=True, kw_only=True)
class WindowDocument:
    """What a window holds of a document: the part's tokens `start` up to before `end`."""

    document: TakenDocument
    start: int
    end: int

    @property
    def tokens(self) -> int:
        """How many of the window's tokens are this document's."""
        return self.end - self.start


def parse_at(mix: OpenMix, at: str) -> int:
    """`part-00012:345` -> which token of the mix that is. Raises ConfigError for a part or an offset that is not there."""
    found = _AT.match(at)
    if found is None:
        raise ConfigError(f"--at {at!r}: give a part and an offset in tokens, such as part-00012:345")
    name, offset = f"part-{int(found[1]):05d}.npy", int(re.sub("[_,]", "", found[2]) or -1)
    names = [part.name for part in mix.parts]
    if name not in names:
        raise ConfigError(f"--at {at}: the mix has no {name}; its parts are {names[0]} to {names[-1]}")
    number = names.index(name)
    if not 0 <= offset < mix.parts[number].tokens:
        raise ConfigError(f"--at {at}: {name} has {mix.parts[number].tokens:,} tokens; give an offset from 0 to one less")
    return int(mix.part_starts[number]) + offset


def token_place(mix: OpenMix, token: int, *, sequence_length: int) -> TokenPlace:
    """Where a token of the mix is (0-based, through all parts). Raises ConfigError beyond the mix."""
    if not 0 <= token < mix.tokens:
        raise ConfigError(f"token {token:,} is not in the mix, which has {mix.tokens:,}; give 0 to one less")
    part = int(np.searchsorted(mix.part_starts, token, side="right")) - 1
    offset = token - int(mix.part_starts[part])
    ends = mix.documents(part).column("end").to_numpy()
    document = document_of_row(mix, part, int(np.searchsorted(ends, offset, side="right")))
    counts = windows_of([found.tokens for found in mix.parts], sequence_length)
    in_part = offset // sequence_length
    window = None
    if in_part < counts[part]:
        window = window_place(mix, int(counts[:part].sum()) + in_part, sequence_length=sequence_length)
    return TokenPlace(
        token=token,
        part=mix.parts[part].name,
        offset=offset,
        position=offset - document.start,
        document=document,
        window=window,
    )


def window_place(mix: OpenMix, number: int, *, sequence_length: int) -> Window:
    """Where a window is. Raises ConfigError beyond the mix."""
    part, in_part = _window_part(mix, number, sequence_length)
    known = sequence_length == mix.lock.sequence_length
    return Window(
        number=number,
        part=mix.parts[part].name,
        start=in_part * sequence_length,
        end=(in_part + 1) * sequence_length,
        repeated=bool(mix.repeated(part)[in_part]) if known else None,
    )


def window_documents(mix: OpenMix, number: int, *, sequence_length: int) -> list[WindowDocument]:
    """The documents that a window holds tokens of, in its order; their tokens sum to `sequence_length`."""
    part, in_part = _window_part(mix, number, sequence_length)
    start, end = in_part * sequence_length, (in_part + 1) * sequence_length
    ends = mix.documents(part).column("end").to_numpy()
    first, last = int(np.searchsorted(ends, start, side="right")), int(np.searchsorted(ends, end, side="left"))
    found = []
    for row in range(first, last + 1):
        document = document_of_row(mix, part, row)
        if document.tokens:
            found.append(WindowDocument(document=document, start=max(start, document.start), end=min(end, document.end)))
    assert sum(one.tokens for one in found) == sequence_length, f"window {number} is not covered by its documents"
    return found


def windows_of_document(mix: OpenMix, document: TakenDocument, *, sequence_length: int) -> range:
    """The numbers of the windows that hold tokens of a document; none where it lies in the tail of its part."""
    part = [found.name for found in mix.parts].index(document.part)
    counts = windows_of([found.tokens for found in mix.parts], sequence_length)
    before = int(counts[:part].sum())
    first, stop = document.start // sequence_length, -(-document.end // sequence_length)
    return range(before + first, before + max(first, min(stop, int(counts[part]))))


def tokens_by_source(mix: OpenMix, windows: np.ndarray, *, sequence_length: int) -> tuple[np.ndarray, np.ndarray]:
    """(tokens, documents) of each source in some windows; a document counts once in every window that holds some of it."""
    counts = windows_of([found.tokens for found in mix.parts], sequence_length)
    firsts = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    parts = np.searchsorted(firsts, windows, side="right") - 1
    tokens, documents = (np.zeros(len(mix.sources), np.int64) for _ in range(2))
    for part in np.unique(parts).tolist():
        starts = (windows[parts == part].astype(np.int64) - firsts[part]) * sequence_length
        for sources, shares in _shares(mix, part, starts, sequence_length):
            np.add.at(tokens, sources, shares)
            np.add.at(documents, sources, 1)
    assert int(tokens.sum()) == len(windows) * sequence_length, "the windows are not covered by their documents"
    return tokens, documents


def document_of_row(mix: OpenMix, part: int, row: int) -> TakenDocument:
    """The document of a row of a part's provenance."""
    documents = mix.documents(part)
    value = {name: documents.column(name)[row].as_py() for name in ("source", "copy", "id", "src", "loc", "end")}
    return TakenDocument(
        source=mix.sources[value["source"]],
        copy=value["copy"],
        id=value["id"],
        src=value["src"],
        loc=value["loc"],
        part=mix.parts[part].name,
        start=documents.column("end")[row - 1].as_py() if row else 0,
        end=value["end"],
    )


def _shares(mix: OpenMix, part: int, starts: np.ndarray, length: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each window of a part, the source of every document in it and how many of its tokens the window holds."""
    # A step's windows may lie in all parts of the mix: only what is looked up is read.
    documents = mix.documents(part, whole=False)
    ends, sources = (documents.column(name).to_numpy() for name in ("end", "source"))
    for start in starts.tolist():
        first, last = int(np.searchsorted(ends, start, side="right")), int(np.searchsorted(ends, start + length, side="left"))
        shares = np.diff(np.minimum(ends[first : last + 1], start + length), prepend=start)
        yield sources[first : last + 1][shares > 0], shares[shares > 0]


def _window_part(mix: OpenMix, number: int, sequence_length: int) -> tuple[int, int]:
    """(the part that a window is in, its number in that part)."""
    reached = np.cumsum(windows_of([found.tokens for found in mix.parts], sequence_length))
    if not 0 <= number < int(reached[-1]):
        total = f"{int(reached[-1]):,} of {sequence_length:,} tokens"
        raise ConfigError(f"window {number:,} is not in the mix, which has {total}; give 0 to one less")
    part = int(np.searchsorted(reached, number, side="right"))
    return part, number - (int(reached[part - 1]) if part else 0)
