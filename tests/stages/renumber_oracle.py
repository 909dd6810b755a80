"""Is a renumbered problem right? By its two texts alone and nothing of the stage: every figure derived again."""

from __future__ import annotations

import ast
import re
from fractions import Fraction

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
VALUES = {word: number for number, word in enumerate(ONES.split())}
VALUES |= {word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
TENS = [word for word, number in VALUES.items() if number >= 20]
WORD = (
    rf"(?:{'|'.join(TENS)})(?:[- ](?:{'|'.join(ONES.split()[1:10])})\b)?|{'|'.join(sorted(ONES.split(), key=len, reverse=True))}"
)
NUMERAL = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d*\.\d+|\d+"
NUMBER = re.compile(rf"{NUMERAL}|\b(?:{WORD})(?:[- ](?:hundred|thousand))?\b", re.I)
ANNOTATION = re.compile(r"<<([^<>=]*)=([^<>=]*)>>")
STATED = re.compile(rf"= ?\$? ?({NUMERAL})(?![\d%]|[.,]\d| ?[-+*/x×(])")
MIXED = re.compile(r"(\d+)(?: and | |-)(\d+)/(\d+)")
CALCULATION = re.compile(rf"(?:(?:{NUMERAL})%? *[-+*/] *)+(?:{NUMERAL})%? *$")
# What a step may use although neither question nor an earlier step has it.
CONSTANTS = {Fraction(number) for number in "0 1 2 3 4 5 6 7 8 10 12 16 20 24 25 26 30 31 36 50 52 60 90 100 128 180 360 365 "
             "1000 1760 2000 3600 5280 0.01 0.05 0.1 0.125 0.2 0.25 0.4 0.5 0.6 0.75 0.8 0.9 1.5 1/3 2/3".split()}  # fmt: skip


def value(token: str) -> Fraction:
    """Of digits or number words."""
    if token[0] in "0123456789.":
        return Fraction(token.replace(",", ""))
    total = 0
    for word in re.split("[- ]", token.lower()):
        total = total * {"hundred": 100, "thousand": 1000}[word] if word in ("hundred", "thousand") else total + VALUES[word]
    return Fraction(total)


def numbers(text: str) -> list[Fraction]:
    return [value(token) for token in NUMBER.findall(text)]


def skeleton(text: str) -> str:
    """The text without its numbers, and without the choice of a or an before them."""
    return re.sub(r"\b([Aa])n?(?= \$?#)", r"\1", NUMBER.sub("#", text))


def calculate(expression: str) -> Fraction:
    """By Python's own parser: numerals and + - * / only."""

    def of(node: ast.expr) -> Fraction:
        if isinstance(node, ast.BinOp):
            left, right = of(node.left), of(node.right)
            if isinstance(node.op, ast.Add):
                return left + right
            if isinstance(node.op, ast.Sub):
                return left - right
            return left * right if isinstance(node.op, ast.Mult) else left / right
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -of(node.operand)
        if isinstance(node, ast.Call):  # 2(3+4)
            return of(node.func) * of(node.args[0])
        assert isinstance(node, ast.Constant), ast.dump(node)
        return Fraction(str(node.value))

    plain = re.sub(r"(?<![\d.])0+(?=\d)", "", expression.strip())
    return of(ast.parse(re.sub(rf"({NUMERAL})%", r"(\1/100)", plain), mode="eval").body)


def faults(old: str, new: str) -> list[str]:
    """What is wrong with `new` as a renumbering of `old`; empty where every figure is accounted for."""
    if skeleton(old) != skeleton(new):
        return ["another text"]
    found: list[str] = []
    (old_question, _, old_answer), (new_question, _, new_answer) = old.partition("\n"), new.partition("\n")
    moved: dict[Fraction, Fraction] = {}
    for before, after in zip(numbers(old_question), numbers(new_question), strict=True):
        if moved.setdefault(before, after) != after:
            found.append(f"{before} of the question became both {moved[before]} and {after}")
    for mixed in MIXED.finditer(new_question):  # never rewritten, so the same in both
        whole, low, high = map(int, mixed.groups())
        moved.setdefault(whole + Fraction(low, high), whole + Fraction(low, high))
    if all(before == after for before, after in moved.items()):
        found.append("nothing replaced")
    stated: list[tuple[Fraction, Fraction]] = []  # results so far, old and new
    steps = [[*map(step, all_steps(answer))] for answer in (old_answer, new_answer)]
    if len(steps[0]) != len(steps[1]):
        return [*found, "an equation was lost"]
    for (annotated, was, was_result, _), (_, now, now_result, after_it) in zip(*steps, strict=True):
        if now and was and calculate(was) == was_result and calculate(now) != now_result:
            found.append(f"{now} is not {now_result}")
        if annotated:
            for before, after in zip(numbers(was), numbers(now), strict=True):
                known = explained(before, after, moved, stated, (was_result, now_result))
                found += [] if known else [f"{before} became {after} in {now}"]
        follows = re.match(rf"[ $£€]*({NUMERAL})(?!\d|[.,]\d| ?/ ?\d)", after_it) if annotated else None
        if follows is not None and value(follows[1]) != now_result:
            found.append(f"{follows[0]} follows {now}")
        stated.append((was_result, now_result))
    final = value(new.rpartition("#### ")[2].strip("$ "))
    return found if stated and stated[-1][1] == final else [*found, f"{final} is not the last result"]


def all_steps(answer: str) -> list[re.Match[str]]:
    """Annotations, and what prose outside them states after an equals sign."""
    prose = ANNOTATION.sub(lambda found: " " * len(found[0]), answer)
    return sorted([*ANNOTATION.finditer(answer), *STATED.finditer(prose)], key=re.Match.start)


def step(found: re.Match[str]) -> tuple[bool, str, Fraction, str]:
    """Whether it is an annotation, its calculation ("" where prose has none before it), its result, the text that follows."""
    after = found.string[found.end() :]
    if found[0].startswith("<<"):
        return True, found[1], value(found[2]), after
    before = re.split(r"=|\n", found.string[: found.start()])[-1]
    signs = re.sub(r"(?<=[\d )])[xX×](?=[ \d$])", "*", before).replace("–", "-").replace("−", "-").replace("÷", "/")
    bare = re.sub(r"/?[A-Za-z]+|\$|,(?=\d\d\d)", " ", signs)
    calculation = CALCULATION.search(bare)
    return False, calculation[0] if calculation else "", value(found[1]), after


def explained(
    before: Fraction,
    after: Fraction,
    moved: dict[Fraction, Fraction],
    stated: list[tuple[Fraction, Fraction]],
    result: tuple[Fraction, Fraction],
) -> bool:
    """Whether every thing that `before` can have meant has become `after`, and there is such a thing."""
    meant = [new for old, new in stated if old == before]
    meant += [moved[before]] if before in moved else []
    if meant:
        return set(meant) == {after}
    for old, new in moved.items():
        forms = ((old / 100, new / 100), (1 - old / 100, 1 - new / 100), (1 + old / 100, 1 + new / 100), (100 - old, 100 - new),
                 (100 + old, 100 + new))  # fmt: skip
        if (before, after) in forms:
            return True
        for low, low_now in moved.items():
            shares = (
                ((low / old, low_now / new), (1 - low / old, 1 - low_now / new), (old - low, new - low_now))
                if old and new
                else ()
            )
            if (before, after) in shares:
                return True
    return (before == after and before in CONSTANTS) or (before, after) == result
