"""How much of a mix a source or a group of sources is: stated in exactly one of four ways, within bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from dolmino_cli.errors import ConfigError

KINDS = ("source_percent", "mix_percent", "tokens", "rest")


def exact(number: float) -> Fraction:
    """The decimal that was written: 3.23 is 323/100, not the nearest binary fraction."""
    return Fraction(repr(number))


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share, or none (of a source whose group states it).

    `source_percent` = tokens taken / tokens of the source x 100 (400 is four passes); `mix_percent` = tokens taken /
    tokens of the mix x 100; `tokens` = tokens taken; `rest` = what the others leave of `total_tokens`, divided among those
    that take it in proportion to this weight.
    """

    source_percent: float | None = None
    mix_percent: float | None = None
    tokens: int | None = None
    rest: float | None = None

    def __post_init__(self) -> None:
        given = self.given()
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} given; give exactly one of {', '.join(KINDS)}")
        for name, value in given.items():
            if not math.isfinite(value) or value <= 0:
                raise ConfigError(f"{name} is {value}; it must be more than 0 (leave a source out to take none of it)")
        if self.mix_percent is not None and self.mix_percent > 100:
            raise ConfigError(f"mix_percent is {self.mix_percent}; a source is at most 100 % of its mix")

    def given(self) -> dict[str, float]:
        """What is stated, by its key: one entry or none."""
        values = {name: getattr(self, name) for name in KINDS}
        return {name: value for name, value in values.items() if value is not None}

    def says(self) -> str:
        """As a person wrote it: `source_percent: 3.23`."""
        return ", ".join(
            f"{name}: {value:_}" if name == "tokens" else f"{name}: {value:g}" for name, value in self.given().items()
        )
