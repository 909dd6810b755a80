"""English number words, and what words of a problem say about the constants that its answer may use."""

from __future__ import annotations

import functools
import re
from fractions import Fraction

from dolmino_cli.stages.renumber_arithmetic import Exact

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {word: value for value, word in enumerate(SMALL)} | {word: 10 * value for value, word in enumerate(TENS, start=2)}
_SCALES = {"hundred": 100, "thousand": 1000}

_UNIT = "|".join(SMALL[1:10])
CARDINAL = (
    rf"(?:(?:{'|'.join(TENS)})[- ](?:{_UNIT})|{'|'.join(sorted((*SMALL, *TENS), key=len, reverse=True))})"
    rf"(?:[- ](?:hundred|thousand))?"
)

_PARTS = {"half": 2, "halves": 2, "third": 3, "fourth": 4, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
          "ninth": 9, "tenth": 10, "twelfth": 12, "fifteenth": 15, "twentieth": 20}  # fmt: skip
SHARE = rf"(?:{'|'.join(SMALL[1:])})[- ](?:{'|'.join(_PARTS)})s?"

# Relations that a word states without a number. What an answer says with one must be said by the question too.
RELATIONS: dict[str, tuple[int, ...]] = {
    r"half|halves|halved|halving": (2,),
    r"twice|doubl\w+|twofold": (2,),
    r"thrice|tripl(?!et)\w+": (3,),
    r"quadrupl\w+": (4,),
    r"thirds?": (3,),
    r"quarters?|fourths?": (4,),
    r"fifths?": (5,),
    r"sixths?": (6,),
    r"sevenths?": (7,),
    r"eighths?": (8,),
    r"ninths?": (9,),
    r"tenths?": (10,),
    r"dozens?": (12,),
}
# Words that bring constants along which nobody needs to write down.
_KNOWLEDGE: dict[str, tuple[int, ...]] = {
    r"both|either|pairs?|couple|twins?|round|forth|average\w*|mean|midpoint|opposite": (2,),
    r"other|siblings?|parents|spouses?|husband|wife": (2,),
    r"triplets?|trio": (3,),
    r"quartet": (4,),
    r"%|percent\w*|cent|discount\w*|dollars?|cents?|penn\w+|century|centuries": (100,),
    r"nickels?": (5,),
    r"dimes?|decades?": (10,),
    r"quarters?": (25,),
    r"seconds?|minutes?|hours?|hourly": (60,),
    r"days?|daily|hours?|everyday": (24,),
    r"weeks?\w*|days?|daily|fortnight\w*|everyday": (7,),
    r"weekdays?|workdays?|week|work\w*|school\w*": (5,),
    r"weekends?|biweekly|fortnight\w*": (2,),
    r"months?|monthly|\w*annual\w*|years?|yearly": (12, 52, 4, 30, 31, 365),
    r"feet|foot|inch\w*|yards?": (12, 3, 36),
    r"gallons?|quarts?|pints?|cups?": (2, 4, 8, 16),
    r"ounces?|pounds?|tons?": (16, 2000),
    r"kilo\w*|kg|km|grams?|met(?:er|re)s?|lit(?:er|re)s?|cm|ml|centi\w*|milli\w*": (10, 100, 1000),
    r"legs?|legged|paws?|animals?|dogs?|cats?|cows?|horses?|birds?|chickens?|spiders?|insects?|octop\w+": (2, 4, 6, 8),
    r"cars?|wheels?|wheeled|bikes?|bicycles?|tricycles?|motorcycles?|trucks?|tires?|vehicles?": (2, 3, 4, 5),
    r"eyes?|ears?|hands?|handed|arms?|shoes?|socks?|gloves?|boots?|feet|earrings?|shoelaces?|laces?|wings?|headlights?": (2,),
    r"fingers?|toes?": (5, 10),
    r"squares?|squared|rectang\w+|perimeters?|sides?|corners?|walls?|chairs?|tables?": (2, 4),
    r"triang\w+": (2, 3, 180),
    r"circ\w+|angles?|degrees?": (90, 180, 360),
    r"cubes?|cubic|cubed|dice|die": (3, 6),
    r"decks?|cards?": (52,),
    r"seasons?|quarterly": (4,),
    r"vowels?|alphabet|letters?": (5, 26),
    r"basketball|soccer|football|baseball|hockey|touchdowns?|quarters?": (2, 3, 4, 6, 7),
}
_RELATIONS = [(re.compile(words), values) for words, values in RELATIONS.items()]
_CONSTANTS = [(re.compile(words), values) for words, values in _KNOWLEDGE.items()]
_WORD = re.compile(r"[a-z]+|%")


def cardinal(words: str) -> int:
    """The number that a text matching CARDINAL says."""
    total = 0
    for word in re.split("[- ]", words.lower()):
        total = total * _SCALES[word] if word in _SCALES else total + _VALUES[word]
    return total


def share(words: str) -> tuple[int, int]:
    """Numerator and denominator of a text matching SHARE."""
    numerator, part = re.split("[- ]", words.lower())
    return _VALUES[numerator], _PARTS.get(part) or _PARTS[part.removesuffix("s")]


def spelled(value: int) -> str | None:
    """`value` in words, up to ninety-nine and for whole hundreds and thousands below twenty; None for others."""
    for scale, size in _SCALES.items():
        if value >= size and value % size == 0 and value // size < len(SMALL):
            return f"{SMALL[value // size]} {scale}"
    if value < len(SMALL):
        return SMALL[value]
    if value >= 100:
        return None
    tens, unit = TENS[value // 10 - 2], value % 10
    return f"{tens}-{SMALL[unit]}" if unit else tens


def relations(text: str) -> frozenset[int]:
    """The numbers that relation words in `text` stand for: "twice" and "half" are 2, "a third" is 3."""
    return frozenset(value for word in _words(text) for value in _related(word))


def constants(text: str) -> frozenset[Exact]:
    """Every constant that the words of `text` bring along, relations and knowledge of the world (7 days, 60 minutes).

    Generous by intent: a number of the problem that equals one of these is never changed, because it may be that one.
    """
    known: set[Exact] = {0, 1}
    for word in _words(text):
        known |= _brought(word)
    return frozenset(known)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


@functools.lru_cache(maxsize=50_000)
def _related(word: str) -> tuple[int, ...]:
    return tuple(value for words, values in _RELATIONS if words.fullmatch(word) for value in values)


@functools.lru_cache(maxsize=50_000)
def _brought(word: str) -> frozenset[Exact]:
    known: set[Exact] = {value for words, values in _CONSTANTS if words.fullmatch(word) for value in values}
    for value in _related(word):
        known |= {value, Fraction(1, value), 1 - Fraction(1, value)}
    return frozenset(known | {Fraction(1, 100)} if 100 in known else known)
