"""How numbers and expressions are written."""

from __future__ import annotations

import pytest

from dolmino_cli.sources.arithmetic import notation
from dolmino_cli.sources.arithmetic.numerals import decimal, dollars, in_words, with_separators

WORDS = {
    0: "zero",
    14: "fourteen",
    40: "forty",
    77: "seventy-seven",
    100: "one hundred",
    1078: "one thousand seventy-eight",
    9999: "nine thousand nine hundred ninety-nine",
    312_005: "three hundred twelve thousand five",
}


@pytest.mark.parametrize("number", WORDS)
def test_words(number: int) -> None:
    assert in_words(number) == WORDS[number]


def test_no_two_numbers_have_the_same_words() -> None:
    assert len({in_words(number) for number in range(20_000)}) == 20_000


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (125, 2, "1.25"),
        (120, 2, "1.2"),
        (100, 2, "1"),
        (5, 3, "0.005"),
        (-1250, 3, "-1.25"),
        (-5, 1, "-0.5"),
        (0, 2, "0"),
        (70, 0, "70"),
    ],
)
def test_decimals_are_exact(value: int, places: int, text: str) -> None:
    assert decimal(value, places) == text


def test_money() -> None:
    assert [dollars(1350, whole=False), dollars(1300, whole=False), dollars(1300, whole=True), dollars(5, whole=False)] == [
        "$13.50",
        "$13.00",
        "$13",
        "$0.05",
    ]


def test_separators_stand_in_whole_parts_only() -> None:
    assert with_separators("1234 * 7 = 8638, 1234567, 999, 0.12345 and 1234.56789") == (
        "1,234 * 7 = 8,638, 1,234,567, 999, 0.12345 and 1,234.56789"
    )


EXPRESSION = ("(", "77", "-", "3/4", ")", "*", "1400", "^2", "/", "$4.50", "+", "15%", "*", "sqrt(", "144", "root)", "%", "-5")
WRITTEN = {
    "ascii": "(77 - 3/4) * 1400^2 / $4.50 + 15% * sqrt(144) mod -5",
    "tight": "(77-3/4)*1400^2/$4.50+15%*sqrt(144) mod -5",
    "letter-x": "(77 - 3/4) x 1400^2 / $4.50 + 15% x sqrt(144) mod -5",
    "signs": "(77 − 3/4) × 1400² ÷ $4.50 + 15% × √144 mod −5",
    "latex": r"(77 - \frac{3}{4}) \times 1400^{2} \div \$4.50 + 15\% \times \sqrt{144} \bmod -5",
    "latex-dot": r"(77 - \frac{3}{4}) \cdot 1400^{2} / \$4.50 + 15\% \cdot \sqrt{144} \bmod -5",
    "python": "(77 - 3/4) * 1400 ** 2 / $4.50 + 15% * sqrt(144) % -5",
    "separated": "(77 - 3/4) * 1,400^2 / $4.50 + 15% * sqrt(144) mod -5",
    "separated-signs": "(77 − 3/4) × 1,400² ÷ $4.50 + 15% × √144 mod −5",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_notations(name: str) -> None:
    (found,) = {one.name: one for one in (*notation.LONG_NOTATIONS, notation.PYTHON) if one.name == name}.values()
    assert found.write(EXPRESSION) == WRITTEN[name]


def test_the_canonical_grammar() -> None:
    assert notation.canonical(EXPRESSION) == "(77 - (3/4)) * 1400 ** 2 / 4.50 + (15/100) * sqrt(144) % -5"
