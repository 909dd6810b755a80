"""What a question says twice: numbers that add up to another one, and numbers that count what it lists."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence

from dolmino_cli.stages.renumber_arithmetic import Constant, Operation, Term, Variable
from dolmino_cli.stages.renumber_graph import Graph
from dolmino_cli.stages.renumber_numbers import Number, numbers
from dolmino_cli.stages.renumber_words import CARDINAL, cardinal

_LEAST_PRODUCT = 20
_LONGEST_RUN = 5
_MOST_STRIDE = 3  # "six 5-star reviews, seven 4-star reviews": every second number is of the sum
MOST_COUNTED = 12

_SENTENCE = re.compile(r"[.?!;:]\s+")
_SEPARATOR = re.compile(r"\s*,\s*(?:and|or|then)\s+|\s*,\s+|\s+(?:and|or|&)\s+")
_NAME = r"[A-Z](?:\w|\.)*"
_NAMES = re.compile(rf"\b{_NAME}(?:, (?:and )?(?:[a-z]+ )?{_NAME})*,? and (?:[a-z]+ )?{_NAME}")
_LETTER = re.compile(r"(?<![\w'’$])[A-H](?![\w'’])")
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_ORDINAL = re.compile(rf"\b(?:{'|'.join(_ORDINALS)})\b|\b\d+(?=st\b|nd\b|rd\b|th\b)", re.I)
_LAST = re.compile(r"\b(?:last|final)\b", re.I)
_DATED = re.compile(
    r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|\b(?:January|February|March|April|May|June|July|August|September|October"
    r"|November|December)\b"
)
_RATIO = re.compile(r"\d+(?:\s?:\s?\d+)+|\d+(?: to \d+)+")
_PARTS = re.compile(rf"(\d+|\b{CARDINAL}) (?:\w+ )?(?:parts|pieces|shares|portions|sections|groups)\b[^.?!]*\bratio\b", re.I)
_CALENDAR = re.compile(
    r"[\s-](?:weekends?|weekdays?|(?:week|work|school|business)[\s-]?(?:ing)?[\s-]?days?|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?)\b"
)
_TRIANGLE = re.compile(r"\btriang\w+", re.I)
_FOR_EACH = re.compile(r"\bfor (?:each|every)\b", re.I)
_BODY = re.compile(r"\b(?:fever\w*|body temperature|normal temperature)\b", re.I)


def said_twice(graph: Graph, factors: frozenset[int]) -> Iterator[tuple[Term, Term]]:
    """Equalities among the question's own numbers: of 5 pupils 3 do this and the other 2 that.

    No step may need them, but the question would contradict itself without. `factors` are those that its relation words
    state ("twice"). Products of small numbers that stand apart are left to chance: too many are none.
    """
    values = {given.value: index for index, given in enumerate(graph.givens) if given.value > 1}
    for first, second in itertools.combinations(values, 2):
        left, right = Variable(values[first]), Variable(values[second])
        if first + second in values:
            yield Operation("+", left, right), Variable(values[first + second])
        if first * second > _LEAST_PRODUCT and first * second in values:
            yield Operation("*", left, right), Variable(values[first * second])
    for value, index in values.items():
        if 2 * value in values and len(graph.givens[index].mentions) > 1:
            yield Operation("+", Variable(index), Variable(index)), Variable(values[2 * value])
    for value, factor in itertools.product(values, factors):
        if value * factor in values:
            yield Operation("*", Variable(values[value]), Constant(factor)), Variable(values[value * factor])
    yield from _runs(graph)


def _runs(graph: Graph) -> Iterator[tuple[Term, Term]]:
    """Numbers that follow each other, or every second or third, and add or multiply to one that stands elsewhere."""
    told = [(mention, index) for index, given in enumerate(graph.givens) for mention in given.mentions]
    told = sorted(((mention, index) for mention, index in told if _is_amount(mention)), key=lambda each: each[0].start)
    index_of = {given.value: index for index, given in enumerate(graph.givens)}
    places: dict[int, list[int]] = {}
    for place, (_, index) in enumerate(told):
        places.setdefault(index, []).append(place)
    for stride, length, start in itertools.product(range(1, _MOST_STRIDE + 1), range(2, _LONGEST_RUN + 1), range(len(told))):
        run = range(start, start + stride * length, stride)
        if run[-1] >= len(told) or (stride > 1 and length == 2):
            continue
        mentions, members = [told[place][0] for place in run], [told[place][1] for place in run]
        if len({(mention.money, mention.percent) for mention in mentions}) > 1:
            continue
        values = [mention.value for mention in mentions]
        for sign, total in (("+", sum(values)), ("*", math.prod(values))):
            whole = index_of.get(total)
            apart = whole is not None and any(place not in run for place in places.get(whole, ()))
            if whole is not None and apart and (sign == "+" or 1 not in values):
                yield _joined(sign, members), Variable(whole)


def _is_amount(mention: Number) -> bool:
    return not (mention.named or mention.over or mention.under) and mention.value > 0


def _joined(sign: str, members: Sequence[int]) -> Term:
    term: Term = Variable(members[0])
    for member in members[1:]:
        term = Operation(sign, term, Variable(member))
    return term


def listed(question: str) -> frozenset[int]:
    """How many things the question may have listed: names, items between commas, lettered or ordered things, days.

    Generous by intent: a small number of the question that equals one of these is never changed, because it may count them.
    """
    counts = {len(re.findall(_NAME, found[0])) for found in _NAMES.finditer(question)}
    for sentence in _SENTENCE.split(question):
        counts.update(range(3, len(_SEPARATOR.findall(sentence)) + 2))
    letters = set(_LETTER.findall(question))
    if "B" in letters:
        counts |= {len(letters), len(letters | {"A"})}
    if (furthest := max(ordered := _ordered(question), default=0)) > 1 or _LAST.search(question):
        counts |= {furthest - 1, furthest, furthest + 1, len(ordered)}
    counts.add(len(set(_DATED.findall(question))))
    if "ratio" in question:
        counts |= {len(re.findall(r"\d+", found[0])) for found in _RATIO.finditer(question)}
        counts |= {int(found[1]) if found[1].isdigit() else cardinal(found[1]) for found in _PARTS.finditer(question)}
    if _FOR_EACH.search(question):  # 2 rows of these for each row of those: every third row
        counts |= {int(number.value) + 1 for number in numbers(question) if number.value.denominator == 1}
    return frozenset(count for count in counts if count > 1)


def _ordered(question: str) -> set[int]:
    """The ranks that the question speaks of: "first" is 1."""
    found = [word.lower() for word in _ORDINAL.findall(question)]
    return {int(word) if word.isdigit() else _ORDINALS.index(word) + 1 for word in found}


def known(question: str, mention: Number) -> bool:
    """Whether the world sets an amount: weekend days of a month, the sides of a triangle, how warm a fever is."""
    if _CALENDAR.match(question, mention.end) or _TRIANGLE.search(question):
        return True
    return _BODY.search(question) is not None and (mention.unit.startswith("degree") or 90 <= mention.value <= 110)
