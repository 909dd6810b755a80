"""Numbers in the prose of a problem: where they stand, how they are written, and writing another in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from dolmino_cli.stages.renumber_arithmetic import Exact, exact
from dolmino_cli.stages.renumber_words import CARDINAL, SHARE, cardinal, share, spelled

_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d*\.\d+|\d+"
_CLOCK = r"[ap]\.?m\b|o['’]clock|noon"
_UNIT_SUFFIXES = frozenset("x g kg mg lb lbs oz km m cm mm ft in mph ml l L gb GB mb MB TB mm min mins hr hrs s px".split())
# The lookaheads, here and below, pass over letters that nothing begins with: three times as fast as trying everything there.
_FIXED = re.compile(
    rf"""(?=\d)(?:(?P<clock>\d{{1,2}}:\d\d|\d{{1,2}}(?=\s*(?:{_CLOCK}))|\d{{1,2}}(?=\s*(?:-|–|to|and|until|till)\s*\d{{1,2}}(?::\d\d)?\s*(?:{_CLOCK})))
    |(?P<ordinal>\d+(?:st|nd|rd|th)\b)
    |(?P<label>(?<=[A-Za-z\#])\d+|(?<=[A-Za-z]-)\d+)
    |(?P<mixed>\d+(?:\ |-|\ and\ )\d+/\d+)
    |(?P<year>(?<=\b(?:in|of)\ )(?:1[5-9]|20)\d\d(?![\d%,]|\.\d|\ (?!(?:was|is|has|does|as)\b)[a-z]+s\b)
    |(?<=\bsince\ )(?:1[5-9]|20)\d\d\b))
    |(?=[efnost])(?P<share>\b{SHARE}\b)""",
    re.X | re.I,
)
_NUMBER = re.compile(rf"(?=[\d.])(?:{_DIGITS})|(?=[efnostz])\b(?:{CARDINAL})\b", re.I)
_SUFFIX = re.compile(r"[A-Za-z]+")
_OVER = re.compile(r"\s?/\s?\d")
_UNDER = re.compile(r"\d\s?/\s?$")
_MONEY = re.compile(r"[$£€]\s?$")
_PERCENT = re.compile(r"\s?%|[\s-]per\s?cent")
_UNIT = re.compile(r"[\s-]*(?:more |fewer |less |additional |extra |full |whole |consecutive |straight )?([A-Za-z]+)")
# A number that counts what the text lists or has spoken of, not an amount.
_COUNTS = re.compile(r"\b(?:the|these|those|all|other|first|last|next|past|previous|remaining|my|his|her|their|our|its)\s$", re.I)
_COUNTS_DIGITS = re.compile(r"\b(?:these|those|all|other|of the)\s$", re.I)
# A number that is a name: a page, a date, a bank note, a kind of throw.
_NAMED_BEFORE = re.compile(
    r"\b(?:grade|chapter|page|room|route|flight|highway|size|level|lesson|question|number|january|february|march|april|may|june|"
    r"july|august|september|october|november|december)\s$",
    re.I,
)
_NAMED_AFTER = re.compile(
    r"(?:[\s-](?:dollars?|cents?|pounds?|euros?))?[\s-](?:bills?|notes?|coins?)\b|[\s-]point(?:er)?s?\b(?=[\s-](?:shot|throw|goal|basket|question))|-point",
    re.I,
)
_ARTICLE = re.compile(r"\b(an?)(?= [$£€]?$)", re.I)


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A number at `start` to `end` of a text; fractions such as 3/4 are two numbers."""

    start: int
    end: int
    value: Exact
    token: str
    """As it is written."""
    fixed: bool = False
    """It counts what the text lists ("the three of them"): the value must stay."""
    named: bool = False
    """It is part of a clock time, a year, an ordinal or another name, which is never written anew."""
    money: bool = False
    percent: bool = False
    unit: str = ""
    """The word that follows, in small letters."""
    over: bool = False
    """A slash and a denominator follow."""
    under: bool = False
    """It is that denominator."""

    @property
    def in_words(self) -> bool:
        """Whether it is written in letters."""
        return self.token[0].isalpha()


def numbers(text: str, start: int = 0, end: int | None = None) -> Iterator[Number]:
    """Every number of `text[start:end]`, in order."""
    end = len(text) if end is None else end
    position = start
    fixed = _FIXED.search(text, position, end)
    while (found := _NUMBER.search(text, position, end)) is not None:
        if fixed is not None and fixed.start() < position:
            fixed = _FIXED.search(text, position, end)
        if fixed is not None and fixed.start() <= found.start():
            yield from _named(fixed)
            position = fixed.end()
        else:
            yield _read(text, found)
            position = found.end()


def _named(found: re.Match[str]) -> Iterator[Number]:
    """The values in something that cannot change; each stands for the whole of it."""
    token = found[0]
    if found["share"]:
        values: list[Exact] = [*share(token)]
    elif found["mixed"]:
        whole, numerator, denominator = map(int, re.findall(r"\d+", token))
        values = [whole + Fraction(numerator, denominator or 1), whole, numerator, denominator]
    else:
        values = [int(part) for part in re.findall(r"\d+", token)]
    for value in values:
        yield Number(start=found.start(), end=found.end(), value=value, token=token, fixed=True, named=True)


def _read(text: str, found: re.Match[str]) -> Number:
    token, start, end = found[0], found.start(), found.end()
    in_words = token[0].isalpha()
    value = cardinal(token) if in_words else exact(token)
    before, after = text[max(0, start - 12) : start], text[end : end + 40]
    names = _NAMED_BEFORE.search(before) is not None or _NAMED_AFTER.match(after) is not None
    counts = value <= 12 and (_COUNTS if in_words else _COUNTS_DIGITS).search(before) is not None
    suffix = _SUFFIX.match(after)
    unit = _UNIT.match(after)
    return Number(
        start=start,
        end=end,
        value=value,
        token=token,
        fixed=counts or names or (suffix is not None and suffix[0] not in _UNIT_SUFFIXES and not in_words),
        money=_MONEY.search(before) is not None,
        percent=_PERCENT.match(after) is not None,
        unit="" if unit is None else unit[1].lower(),
        over=not in_words and _OVER.match(after) is not None,
        under=not in_words and _UNDER.search(before) is not None,
    )


def written(value: Exact, like: Number) -> str | None:
    """`value` written as `like` is: in words or digits, with its thousands separators and decimal places.

    None where it cannot be: too large for words, or decimals without end. Places are kept where the original pads with
    zeros or is an amount of money with cents; else there are as many as the value needs.
    """
    if like.in_words:
        words = spelled(int(value)) if value.denominator == 1 else None
        return words.capitalize() if words and like.token[0].isupper() else words
    places = _places(value)
    if places is None:
        return None
    whole, _, decimals = like.token.partition(".")
    if decimals and (decimals.endswith("0") or (like.money and len(decimals) == 2)):
        places = max(places, len(decimals))
    scaled = abs(value.numerator) * 10**places // value.denominator
    digits = str(scaled).rjust(places + 1, "0")
    head, tail = digits[: len(digits) - places], digits[len(digits) - places :]
    if "," in whole:
        head = f"{int(head):,}"
    if not whole and head == "0":
        head = ""
    return f"{head}.{tail}" if tail else head


def article(text: str, start: int, new: str) -> tuple[int, int, str] | None:
    """The "a" or "an" straight before a number at `start`, as (start, end, what it must be before `new`)."""
    found = _ARTICLE.search(text, max(0, start - 5), start)
    if found is None:
        return None
    vowel = re.match(r"8|1[18](?:\D|\d{3}|$)|eigh|eleven", new.lower().replace(",", "")) is not None
    right = "an" if vowel else "a"
    return found.start(1), found.end(1), right.capitalize() if found[1][0].isupper() else right


def _places(value: Exact) -> int | None:
    """How many decimals `value` needs; None for more than six."""
    return next((places for places in range(7) if 10**places % value.denominator == 0), None)
