"""How numbers are written: decimals, money, thousands separators, and in words."""

from __future__ import annotations

import re

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_LONG_INTEGER = re.compile(r"(?<![\d.])\d{4,}")

MOST_SPELLED = 9_999


def in_words(number: int) -> str:
    """An integer from 0 to 999,999 in English: 1078 is `one thousand seventy-eight`."""
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f"-{_SMALL[ones]}" if ones else "")
    size, unit = (100, "hundred") if number < 1000 else (1000, "thousand")
    whole, rest = divmod(number, size)
    return f"{in_words(whole)} {unit}" + (f" {in_words(rest)}" if rest else "")


def spelled(text: str) -> str:
    """`in_words` of a number's figures."""
    return in_words(int(text))


def with_separators(text: str) -> str:
    """The text with a comma after every third digit, from the right, of its integers of four digits or more."""
    return _LONG_INTEGER.sub(lambda found: f"{int(found[0]):,}", text)


def decimal(value: int, places: int) -> str:
    """`value` / 10^`places` in figures, exactly, without zeros at its end: (-1250, 3) is `-1.25`."""
    if not places:
        return str(value)
    whole, part = divmod(abs(value), 10**places)
    figures = f"{part:0{places}d}".rstrip("0")
    return f"{'-' if value < 0 else ''}{whole}" + (f".{figures}" if figures else "")


def dollars(cents: int, *, whole: bool) -> str:
    """An amount of money: `$13.50`; where `whole`, which needs full dollars, `$13`."""
    return f"${cents // 100}" if whole else f"${cents // 100}.{cents % 100:02d}"
