"""Documents: number i of a seed, from nothing but the two."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from dolmino_cli.sources.arithmetic.columns import column
from dolmino_cli.sources.arithmetic.draws import Draws
from dolmino_cli.sources.arithmetic.operations import BY_WEIGHT
from dolmino_cli.sources.arithmetic.presentation import present

SOURCE = "synthmath-arithmetic"
_COLUMN_ONE_IN = 6
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A text and what it states: `equations`, all true, in the canonical grammar (docs/arithmetic.md)."""

    number: int
    text: str
    operation: str
    template: str
    equations: list[str]

    def record(self, seed: int) -> bytes:
        """The document as a JSON line, without its line end."""
        metadata = {"operation": self.operation, "template": self.template, "equations": self.equations}
        return _ENCODER.encode(
            {"id": f"{SOURCE}-{seed}-{self.number}", "text": self.text, "source": SOURCE, "metadata": metadata}
        )


def make(key: bytes, number: int) -> Document:
    """Document `number` under the key of a seed (`draws.key_of`): the same in any run, order or process."""
    draws = Draws(key, number)
    operation = draws.pick(BY_WEIGHT)
    if operation.is_symbolic and draws.below(_COLUMN_ONE_IN) == 0:
        text, template, problems = column(draws, operation)
    else:
        problems = [operation.draw(draws)]
        text, template = present(draws, problems[0])
    return Document(
        number=number,
        text=text,
        operation=operation.name,
        template=template,
        equations=[problem.canonical for problem in problems],
    )
