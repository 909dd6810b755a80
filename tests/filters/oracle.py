"""The rules of the recipes, said once more in plain Python over strings and lists: slow, and independent of what they test."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable, Sequence

Encode = Callable[[str], Sequence[int]]


def longest_repetition(ids: Sequence[int], max_period: int = 13) -> int:
    """How many times the unit of 1 to `max_period` ids stands in a row, of the unit that does so most; 0 below 3 times."""
    best = 0
    for period in range(1, min(max_period, len(ids) // 3) + 1):
        equal = bytes(map(operator.eq, ids, ids[period:]))
        best = max(best, (max(map(len, equal.split(b"\0"))) + period) // period)
    return best if best >= 3 else 0


def repetition_in_windows(text: str, encode: Encode, characters: int = 100_000) -> int:
    return max((longest_repetition(encode(text[at : at + characters])) for at in range(0, len(text), characters)), default=0)


def code_words(text: str) -> list[str]:
    """As Ai2's tagger of StarCoder splits (dolma, branch soldni/crawl, taggers/repetitions/top_k.py)."""
    return [word for piece in re.split(r"(\W+|[A-Z]\w+)", text) if (word := piece.strip())]


def top_share(text: str, top: int) -> float:
    words = code_words(text)
    return sum(count for _, count in Counter(words).most_common(top)) / len(words) if words else 0.0


def starcoder_paper(text: str, stars: float | None, encode: Encode) -> str | None:
    """The reason that the paper's rule drops for; None where it keeps. `stars` None passes, as with missing=keep."""
    if stars is not None and stars < 2:
        return "stars"
    if top_share(text, 1) > 0.3:
        return "top_word_share"
    if top_share(text, 2) > 0.5:
        return "top_two_words_share"
    return "repeated_ngrams" if longest_repetition(encode(text)) >= 32 else None


def starcoder_ai2(text: str, stars: float | None, encode: Encode) -> str | None:
    """As `starcoder_paper`, by the executed configuration."""
    if stars is not None and not stars > 1:
        return "stars"
    if top_share(text, 1) >= 0.3:
        return "top_word_share"
    if not 100 <= len(re.split(r"\w+|[^\w\s]+", text)) <= 20_000:
        return "length"
    return "repeated_ngrams" if repetition_in_windows(text, encode) > 10 else None


def repeats_paper(text: str, stars: float | None, encode: Encode) -> str | None:
    """The rule of all subsets of the pretraining mix."""
    return "repeated_ngrams" if longest_repetition(encode(text)) >= 32 else None


def repeats_ai2(text: str, stars: float | None, encode: Encode) -> str | None:
    """The rule of DCLM's configuration."""
    return "repeated_ngrams" if repetition_in_windows(text, encode) > 32 else None


def keep_all(text: str, stars: float | None, encode: Encode) -> str | None:
    """No rule."""
    return None
