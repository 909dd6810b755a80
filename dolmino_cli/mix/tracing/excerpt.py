"""The text of a mix's tokens, for people: a token with what stands around it, and what a range of tokens says."""

from __future__ import annotations

from dataclasses import dataclass

from dolmino_cli.errors import ConfigError, DolminoError
from dolmino_cli.mix.tracing.opened import OpenMix
from dolmino_cli.mix.tracing.places import TokenPlace
from dolmino_cli.tokenizer.at_hand import at_hand
from dolmino_cli.tokenizer.identity import resolve
from dolmino_cli.tokenizer.pieces import Pieces, pieces_of
from dolmino_cli.tokens.arrays import TokenizerRecord

_CHARACTER_BYTES = 4  # at most, in UTF-8; and no token is shorter than a byte


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Text around one token of a document, never of another document.

    `token` is the token's text; where it is a part of a character, the whole character. `cut_before` and `cut_after` say
    whether the document goes on there.
    """

    before: str
    token: str
    after: str
    cut_before: bool
    cut_after: bool


def load_pieces(record: TokenizerRecord, given: str | None) -> tuple[Pieces | None, str]:
    """What the tokens of arrays stand for, or None and why that cannot be known.

    `given` is a tokenizer.json, a folder with one or a hub id. Without it the record's own name is tried on this machine, as a
    path and in the hub's cache: asking the hub takes half a minute where there is no network. Raises ConfigError when the one
    that was given is not the tokenizer of the arrays.
    """
    advice = f"give the mix's tokenizer ({record.name}) as --tokenizer, a path or a hub id"
    found = given or at_hand(record.name)
    if found is None:
        return None, f"tokens are shown as ids: {record.name} is not on this machine; {advice}"
    try:
        identity = resolve(found, eos_required=False)
        if identity.sha256 != record.sha256:
            raise ConfigError(
                f"tokenizer {found!r} has sha256 {identity.sha256[:12]}, the mix was made with {record.name} of sha256 "
                f"{record.sha256[:12]}: its ids mean something else; give that one as --tokenizer"
            )
        return pieces_of(identity), ""
    except DolminoError as error:
        if given is not None:
            raise
        return None, f"tokens are shown as ids: {error}; {advice}"


def excerpt(
    mix: OpenMix, pieces: Pieces, place: TokenPlace, *, context: int, byte: int = 0, length: int | None = None
) -> Excerpt:
    """The token at a place, with up to `context` characters of its document before and after it.

    With `length`, so many bytes from byte `byte` of the token on stand for the token: a text that was found.
    """
    part = [found.name for found in mix.parts].index(place.part)
    reach = _CHARACTER_BYTES * (context + 1)
    start = max(place.document.start, place.offset - reach)
    end = min(place.document.end, place.offset + 1 + (length or 0) + reach)
    ids = mix.token_ids(part, start, end).tolist()
    at = place.offset - start
    text = pieces.join(ids)
    first = len(pieces.join(ids[:at])) + byte
    last = first + (len(pieces.of(ids[at])) if length is None else length)
    # A token may be some bytes of a character.
    while 0 < first < len(text) and _continues(text[first]):
        first -= 1
    while last < len(text) and _continues(text[last]):
        last += 1
    before, after = _text(text[:first]), _text(text[last:])
    return Excerpt(
        before=before[len(before) - min(context, len(before)) :],
        token=_text(text[first:last]),
        after=after[:context],
        cut_before=start > place.document.start or len(before) > context,
        cut_after=end < place.document.end or len(after) > context,
    )


def text_between(mix: OpenMix, pieces: Pieces, part_name: str, start: int, end: int, *, characters: int | None = None) -> str:
    """What a part's tokens `start` up to before `end` say; the first `characters` of it, with an ellipsis for the rest."""
    part = [found.name for found in mix.parts].index(part_name)
    stop = end if characters is None else min(end, start + _CHARACTER_BYTES * (characters + 1))
    text = _text(pieces.join(mix.token_ids(part, start, stop).tolist()))
    if characters is None or (len(text) <= characters and stop == end):
        return text
    return text[:characters] + "…"


def _continues(byte: int) -> bool:
    """Is it a byte inside a UTF-8 character, not its first?"""
    return byte & 0xC0 == 0x80


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
