"""Amounts as people type them: 11M, 200K, 1.5B, 11_000_000; sizes: 4GiB, 512M, 2GB; and times: 90m, 2d."""

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


_SIZE = re.compile(r"(\d+)(?:\.(\d{1,3}))?([KMGT]?)(I?B)?\Z", re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_size(option: str, given: str) -> int:
    """The bytes that `given` stands for: 4GiB and 4G are 4 x 1024^3, 4GB is 4 x 1000^3. Raises ConfigError, naming `option`."""
    found = _SIZE.match(given.strip().upper())
    if found is None or (found[2] and not found[3]):
        raise ConfigError(f"{option} {given!r}: give a size such as 4GiB, 512M or 2GB")
    unit: int = (1000 if found[4] == "B" else 1024) ** _POWERS[found[3]]
    return int(found[1]) * unit + int((found[2] or "0").ljust(3, "0")) * unit // 1000


_DURATION = re.compile(r"(\d+(?:\.\d+)?)([SMHD])\Z", re.ASCII)
_SECONDS = {"S": 1, "M": 60, "H": 3600, "D": 86400}


def parse_duration(option: str, given: str) -> float:
    """The seconds that `given` stands for: 30s, 90m, 12h, 2d. Raises ConfigError, naming `option`."""
    found = _DURATION.match(given.strip().upper())
    if found is None:
        raise ConfigError(f"{option} {given!r}: give a time such as 30s, 90m, 12h or 2d")
    return float(found[1]) * _SECONDS[found[2]]
