"""`--rate NAME=NUMBER`: speeds of your own in place of the measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dolmino_cli.errors import ConfigError

if TYPE_CHECKING:
    from dolmino_cli.mix.estimate import Rates

_NAMES = ("filter", "retokenize", "sample", "train")


def parse_rates(given: Sequence[str]) -> Rates:
    """The measured rates, those that are given replaced. Raises ConfigError for a name or a number that is none."""
    from dolmino_cli.mix.estimate import Rates

    rates = Rates()
    values: dict[str, float] = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if name not in _NAMES or not 0 < value < float("inf"):
            units = "MB/s per core, for train tokens/s per GPU"
            raise ConfigError(f"--rate {text!r}: give NAME=NUMBER with NAME one of {', '.join(_NAMES)} ({units})")
        values[name] = value
    return Rates(
        filter=values.get("filter", rates.filter),
        retokenize=values.get("retokenize", rates.retokenize),
        sample=values.get("sample", rates.sample),
        train={"your model": values["train"]} if "train" in values else rates.train,
    )
