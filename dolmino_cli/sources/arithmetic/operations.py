"""Operations: an explicit table of what is practised, how often, and by what rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dolmino_cli.sources.arithmetic import decimals, integers, mixed, parts, relations
from dolmino_cli.sources.arithmetic.draws import Draws
from dolmino_cli.sources.arithmetic.problem import Forms, Problem


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A kind of problem. `weight` is its share of the documents in thousandths."""

    name: str
    weight: int
    draw: Callable[[Draws], Problem]
    forms: Sequence[Forms] = ()
    is_symbolic: bool = True
    """Whether its problems have an expression."""

    @property
    def rule(self) -> str:
        """What is drawn, in a sentence."""
        return (self.draw.__doc__ or "").strip()


# The calculator marks of GSM8K's train split (23,716) hold * in 36 %, + in 24 %, - in 17 %, / in 15 %, several kinds in 6 %;
# 85 % have two operands, 13 % three or four. These four lead here, too; the others are what its solutions do in words.
OPERATIONS: tuple[Operation, ...] = (
    Operation(name="add", weight=110, draw=integers.add, forms=(integers.ADD,)),
    Operation(name="subtract", weight=110, draw=integers.subtract, forms=(integers.SUBTRACT,)),
    Operation(name="multiply", weight=200, draw=integers.multiply, forms=(integers.MULTIPLY,)),
    Operation(name="divide", weight=110, draw=integers.divide, forms=(integers.DIVIDE,)),
    Operation(name="remainder", weight=20, draw=relations.remainder, forms=(relations.REMAINDER,), is_symbolic=False),
    Operation(name="modulo", weight=10, draw=relations.modulo, forms=(relations.MODULO,)),
    Operation(name="negative", weight=20, draw=integers.negative),
    Operation(name="sum-of-many", weight=40, draw=integers.sum_of_many, forms=(integers.SUM_OF_MANY,)),
    Operation(name="product-of-three", weight=15, draw=integers.product_of_three, forms=(integers.PRODUCT_OF_THREE,)),
    Operation(name="mixed", weight=90, draw=mixed.mixed),
    Operation(name="power", weight=15, draw=mixed.power, forms=(mixed.SQUARE, mixed.CUBE, mixed.POWER)),
    Operation(name="root", weight=10, draw=mixed.root, forms=(mixed.SQUARE_ROOT, mixed.CUBE_ROOT)),
    Operation(name="decimal-add", weight=25, draw=decimals.decimal_add, forms=(decimals.PLUS, decimals.MINUS)),
    Operation(name="decimal-multiply", weight=20, draw=decimals.decimal_multiply, forms=(decimals.TIMES,)),
    Operation(name="decimal-divide", weight=20, draw=decimals.decimal_divide, forms=(decimals.DIVIDED,)),
    Operation(
        name="money",
        weight=40,
        draw=decimals.money,
        forms=(decimals.ADD_PRICES, decimals.CHANGE, decimals.PRICE_TIMES, decimals.PRICE_SHARED),
    ),
    Operation(
        name="fractions",
        weight=20,
        draw=parts.fractions,
        forms=(parts.FRACTION_PLUS, parts.FRACTION_MINUS, parts.FRACTION_TIMES, parts.FRACTION_DIVIDED),
    ),
    Operation(name="simplify", weight=10, draw=parts.simplify, forms=(parts.SIMPLIFY, parts.AS_DECIMAL), is_symbolic=False),
    Operation(name="part-of", weight=25, draw=parts.part_of, forms=(*parts.PARTS.values(), parts.OTHER_PART)),
    Operation(name="multiple-of", weight=10, draw=parts.multiple_of, forms=tuple(parts.MULTIPLES.values())),
    Operation(name="percent-of", weight=25, draw=parts.percent_of, forms=(parts.PERCENT,)),
    Operation(name="which-percent", weight=10, draw=parts.which_percent, forms=(parts.WHICH_PERCENT,), is_symbolic=False),
    Operation(name="percent-change", weight=10, draw=parts.percent_change, forms=(parts.RISE, parts.FALL), is_symbolic=False),
    Operation(name="compare", weight=10, draw=relations.compare, forms=(relations.COMPARE,), is_symbolic=False),
    Operation(name="round", weight=5, draw=relations.rounding, forms=tuple(relations.ROUND.values()), is_symbolic=False),
    Operation(name="missing", weight=15, draw=relations.missing, forms=(relations.MISSING,), is_symbolic=False),
    Operation(name="units", weight=5, draw=relations.units, forms=(relations.TO_SMALLER, relations.TO_LARGER), is_symbolic=False),
)

BY_WEIGHT = tuple(operation for operation in OPERATIONS for _ in range(operation.weight))
"""An operation as often as its weight says."""
SYMBOLIC_BY_WEIGHT = tuple(operation for operation in BY_WEIGHT if operation.is_symbolic)
