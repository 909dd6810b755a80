"""Programs that try to execute something, to take long or to take much."""

from __future__ import annotations

from tests.stages import program_attacks_by_form as by_form
from tests.stages import program_attacks_by_value as by_value

FAMILIES = (
    by_value.powers,
    by_value.texts,
    by_value.not_numbers,
    by_value.odd_characters,
    by_form.nesting,
    by_form.reaching_out,
    by_form.calling,
    by_form.around,
    by_form.callables,
    by_form.constructs,
    by_form.functions,
    by_form.floods,
)


def corpus() -> dict[str, tuple[str, str]]:
    """By name: the text of a document, and the reason that it is dropped for; or `= RESULT`, where it is harmless."""
    return {f"{family.__name__}: {name}": case for family in FAMILIES for name, case in family().items()}
