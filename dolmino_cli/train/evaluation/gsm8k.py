"""GSM8K's test split with the paper's discipline: GSM*, 200 items to develop by, and 1,119 that are looked at once.

OLMo 2 (arXiv:2501.00656, section 4.4.2) tunes on 200 of the 1,319 items and does not say which. Ours are the 200 numbers whose
sha256 of `gsm8k-star/NUMBER` is smallest: no seed of a library's that may change, none to choose. Numbers are those of
test.jsonl in openai/grade-school-math, which openai/gsm8k has in the same order.

Items are known by what their question says, not by where they stand: `gsm8k_test.txt` has, line by line, 16 hex digits of each
question's sha256, so that a held-out item is one in any task, order or subset.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

ITEMS = 1319
STAR = tuple(
    int(number)
    for number in """
    0 2 7 13 29 31 41 46 52 63 67 80 83 93 100 107 113 117 118 126 127 136 138 141 153 158 176 184 186 194 200 207 220 228
    235 249 251 253 258 259 263 283 289 298 305 309 310 314 319 332 336 343 350 355 365 374 384 385 387 390 396 397 399 400
    401 407 414 422 428 434 443 444 463 470 473 475 487 502 512 538 545 546 549 550 558 565 577 582 585 589 591 600 607 608
    618 628 632 642 645 648 650 652 654 662 672 678 689 694 711 718 736 738 740 763 767 768 770 788 804 805 812 824 828 842
    847 854 857 858 860 862 868 870 874 883 903 909 914 918 934 936 938 945 951 956 971 974 976 989 994 999 1003 1013 1015
    1017 1023 1031 1035 1041 1046 1053 1066 1077 1086 1087 1088 1098 1102 1108 1119 1128 1129 1144 1145 1153 1156 1160 1168
    1173 1178 1183 1215 1225 1229 1236 1243 1246 1247 1248 1251 1259 1261 1267 1270 1271 1272 1274 1280 1308 1313 1315
    """.split()
)
"""GSM*: the items to develop by, 0-based."""
_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")
_HEX_DIGITS = 16


def draw(count: int = 200, of: int = ITEMS) -> tuple[int, ...]:
    """How STAR was drawn."""
    ranked = sorted(range(of), key=lambda number: hashlib.sha256(f"gsm8k-star/{number}".encode()).digest())
    return tuple(sorted(ranked[:count]))


def fingerprint(question: str) -> str:
    """What a question is known by: its letters and digits, in lower case, without a heading `Question:`."""
    bare = _NO_LETTER_OR_DIGIT.sub("", question.casefold()).removeprefix("question")
    return hashlib.sha256(bare.encode()).hexdigest()[:_HEX_DIGITS]


def item_number(document: Mapping[str, Any]) -> int | None:
    """Which item of GSM8K's test split a task's document asks, by any of its texts, however deep; None if it asks none."""
    known = _numbers()
    found = (known.get(fingerprint(text)) for text in _texts(document))
    return next((number for number in found if number is not None), None)


def _texts(value: Any) -> Iterator[str]:
    """Those in a document, in its lists and mappings too: chats have messages."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


@cache
def _numbers() -> dict[str, int]:
    lines = (Path(__file__).parent / "gsm8k_test.txt").read_text(encoding="ascii").split()
    assert len(lines) == ITEMS
    return {line: number for number, line in enumerate(lines)}
