"""Amounts as people read them."""

from __future__ import annotations


def big_bytes(count: float) -> str:
    """Bytes in the decimal unit that reads best."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.2f} {unit}"
    return f"{count:.0f} B"


def big_tokens(count: int) -> str:
    """A token count, in M, B or T from a million up."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if count >= size:
            return f"{count / size:,.2f}{unit}"
    return f"{count:,}"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 120:
        return f"{seconds:,.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:,.0f} min"
    return f"{seconds / 3600:,.1f} h"


def short_number(value: float) -> str:
    """A value in few characters, for an axis: 0.05, 32, 1.5k, 2M, 1e-05."""
    size = abs(value)
    if size == 0:
        return "0"
    if 1e-3 <= size < 1e4:
        return f"{value:.4g}"
    for unit, of in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if of <= size < of * 1e3:
            return f"{value / of:.4g}{unit}"
    return f"{value:.3g}"


def percent(value: float | None, digits: int = 1) -> str:
    """A percentage; one that is not 0 is never written as 0, one that is not 100 never as 100. Empty for None."""
    if value is None:
        return ""
    if value in (0, 100):
        return f"{value:.0f} %"
    text, least = f"{value:.{digits}f}", 10.0**-digits
    if value > 0 and float(text) == 0:
        return f"<{least:g} %"
    if value < 100 and float(text) == 100:
        return f">{100 - least:g} %"
    return f"{text} %"
