"""`#SOURCE: prefix (191.58MT)`: the comment that Ai2's configurations write above the files of one source.

The number, which may be missing, is the tokens of the files below it, in thousands, millions, billions or trillions and to two
decimals. What dolmino writes adds the exact count where it knows it: `#SOURCE: prefix (191.58MT) = 191579712 tokens`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import Header

_BEGINS = re.compile(r"\s*#\s*SOURCE:")
_COMMENT = re.compile(
    r"\s*#\s*SOURCE:\s*(?P<prefix>\S+)\s+\((?P<number>\d+(\.\d+)?)(?P<unit>[KMBT]?)T\)(\s*=\s*(?P<exact>\d+) tokens)?\s*\Z"
)
_BARE = re.compile(r"\s*#\s*SOURCE:\s*(?P<prefix>\S+)\s*\Z")
_UNITS = {"": 0, "K": 3, "M": 6, "B": 9, "T": 12}


def read_source_comment(text: str, *, path: str, line: int, before: int) -> Header | None:
    """The comment in a line of text that stands before file number `before`; None for any other line. Raises ConfigError."""
    if not _BEGINS.match(text):
        return None
    found = _COMMENT.match(text)
    if found is None and (bare := _BARE.match(text)):
        return Header(before=before, prefix=bare["prefix"], tokens=None, exact=False, line=line)
    if found is None:
        raise ConfigError(f"{path}:{line}: {text.strip()[:120]!r} is no source comment; expected '#SOURCE: PREFIX (191.58MT)'")
    exact = found["exact"]
    tokens = int(exact) if exact else int(Decimal(found["number"]).scaleb(_UNITS[found["unit"]]))
    return Header(before=before, prefix=found["prefix"], tokens=tokens, exact=exact is not None, line=line)


def write_source_comment(header: Header) -> str:
    """The comment, without a number where the tokens are not known."""
    if header.tokens is None:
        return f"#SOURCE: {header.prefix}"
    unit, size = next(((u, 10**n) for u, n in reversed(_UNITS.items()) if header.tokens >= 10**n), ("", 1))
    exact = f" = {header.tokens} tokens" if header.exact else ""
    return f"#SOURCE: {header.prefix} ({Decimal(header.tokens) / size:.2f}{unit}T){exact}"
