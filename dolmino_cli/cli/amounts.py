"""Amounts as people type them: 11M, 200K, 1.5B, 11_000_000."""

from __future__ import annotations

import re

from dolmino_cli.errors import ConfigError

_AMOUNT = re.compile(r"(\d+)(?:\.(\d{1,9}))?([KMBT]?)\Z", re.ASCII)
_ZEROS = {"": 0, "K": 3, "M": 6, "B": 9, "T": 12}


def parse_amount(option: str, given: str) -> int:
    """The integer that `given` stands for; `_` and `,` may part its digits. Raises ConfigError, naming `option`."""
    found = _AMOUNT.match(given.strip().upper().replace("_", "").replace(",", ""))
    decimals = (found[2] or "").rstrip("0") if found else ""
    if found is None or len(decimals) > _ZEROS[found[3]]:
        raise ConfigError(f"{option} {given!r}: give a whole number such as 11M, 200K or 11_000_000")
    return int(found[1] + decimals.ljust(_ZEROS[found[3]], "0"))
