"""What a sampled mix is to a trainer: how many windows, how many of them are masked, what fills none."""

from __future__ import annotations

from dolmino_cli.mix.lock import Lock

MOST_TAIL = 1e-4  # of the tokens of a mix


def windows_line(lock: Lock) -> str:
    """`windows of 4,096 tokens: 45,071; masked for repetition: 3 (0.01 %); tokens that fill none: 1,234 (0.0007 %)`."""
    windows, repeated, tail, tokens = _count(lock)
    return (
        f"windows of {lock.sequence_length:,} tokens: {windows:,}; masked for repetition: {repeated:,}"
        f" ({100 * repeated / max(windows, 1):.3g} %); tokens that fill none: {tail:,} ({100 * tail / max(tokens, 1):.2g} %)"
    )


def tail_warning(lock: Lock) -> str | None:
    """A line for people when more of the mix is lost to the ends of parts than need be; less than a window is always lost."""
    _, _, tail, tokens = _count(lock)
    if tail < lock.sequence_length or tail <= MOST_TAIL * tokens:
        return None
    # Half a window per part is lost on average: of this many tokens, half of MOST_TAIL.
    larger = max(2 * lock.tokens_per_file, round(lock.sequence_length / MOST_TAIL))
    return (
        f"{tail:,} tokens ({100 * tail / tokens:.2g} %) at the ends of {len(lock.outputs or []):,} parts fill no window of"
        f" {lock.sequence_length:,} and are never trained on; --tokens-per-file {larger} loses less"
    )


def _count(lock: Lock) -> tuple[int, int, int, int]:
    """(windows, repeated windows, tokens that fill none, tokens)."""
    parts = lock.outputs or []
    windows, tokens = sum(part.windows for part in parts), sum(part.tokens for part in parts)
    return windows, sum(part.repeated_windows for part in parts), tokens - windows * lock.sequence_length, tokens
