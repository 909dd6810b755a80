"""A problem's terms as one program: it comes to what each term comes to alone."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from dolmino_cli.stages.renumber_arithmetic import Constant, Exact, Operation, Result, Term, Variable, evaluate
from dolmino_cli.stages.renumber_graph import Given, Graph
from dolmino_cli.stages.renumber_program import Program, execute
from dolmino_cli.stages.renumber_recover import recover
from tests.stages.renumber_problems import MARKET

AMOUNTS = st.integers(2, 500) | st.fractions(min_value="0.05", max_value=50, max_denominator=100)


@given(values=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS))
def test_registers_hold_what_terms_come_to(values: tuple[Exact, ...]) -> None:
    graph = recover(MARKET)
    program = Program(graph)
    results: list[Exact] = []
    for step in graph.steps:
        results.append(evaluate(step, values, results))
    registers = program.run(values)
    assert registers is not None
    assert [registers[program.register(Result(index))] for index in range(len(graph.steps))] == results
    for place in graph.places:
        register, alone = program.register(place.term), program.started(values)
        assert execute(program.needed(register), alone)
        assert registers[register] == alone[register] == evaluate(place.term, values, results)


def test_a_term_is_calculated_once_and_knows_what_can_change_it() -> None:
    rest = Operation("-", Variable(0), Constant(2))
    program = Program(graph_of(Operation("*", rest, Variable(1)), Operation("/", Constant(3), rest), fixed=1))
    product, quotient = program.register(Result(0)), program.register(Result(1))
    assert program.run([5, 7]) == [5, 7, 2, 3, 3, 21, 1]
    assert (program.behind(product), program.behind(1)) == ((0,), ())
    assert program.divisions() == [quotient]
    assert program.run([2, 7]) is None, "it divides by zero"
    assert execute(program.needed(product), program.started([2, 7]))
    assert program.run([6, 7]) == [6, 7, 2, 3, 4, 28, Fraction(3, 4)]


def graph_of(*steps: Term, fixed: int) -> Graph:
    """Steps over the givens 5 and 7."""
    givens = [Given(value=value, mentions=(), fixed=index == fixed) for index, value in enumerate((5, 7))]
    return Graph(givens=givens, steps=list(steps))
