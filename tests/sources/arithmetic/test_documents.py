"""Documents: every statement true, wordings varied, the same for a seed in every version."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from dolmino_cli.sources.arithmetic.documents import Document, make
from dolmino_cli.sources.arithmetic.draws import Draws, key_of
from dolmino_cli.sources.arithmetic.generate import GENERATOR_VERSION
from dolmino_cli.sources.arithmetic.notation import canonical
from dolmino_cli.sources.arithmetic.operations import OPERATIONS, Operation
from dolmino_cli.sources.arithmetic.presentation import present
from dolmino_cli.sources.arithmetic.templates import templates
from tests.sources.arithmetic.evaluator import NotUnderstoodError, equation_holds
from tests.sources.arithmetic.reading import check

DOCUMENTS = 11_000  # some 300,000 tokens


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    key = key_of(42)
    return [make(key, number) for number in range(DOCUMENTS)]


def test_every_statement_is_true(documents: list[Document]) -> None:
    for document in documents:
        check(document.text, document.equations)


def test_the_evaluator_sees_every_falsehood(documents: list[Document]) -> None:
    """One more or less at the last number of a text or of its first equation, and it is no longer true."""
    for document in documents[:2000]:
        figures = list(re.finditer(r"\d+", document.text))
        if not figures or "=" not in document.equations[0]:
            continue
        last = figures[-1]
        wrong = document.text[: last.start()] + str(int(last[0]) + 1) + document.text[last.end() :]
        with pytest.raises((AssertionError, NotUnderstoodError)):
            check(wrong, document.equations)
        first = re.sub(r"\d+$", lambda found: str(int(found[0]) + 1), document.equations[0])
        with pytest.raises((AssertionError, NotUnderstoodError)):
            check(document.text, [first, *document.equations[1:]])


def test_wordings_are_many_and_listed(documents: list[Document]) -> None:
    listed = templates()
    assert len(set(listed.values())) > 1500
    used = {document.template.split("/")[0] for document in documents}
    used |= {document.template.split("/")[1] for document in documents if document.template.count("/") == 2}
    assert used <= listed.keys()
    assert len({listed[name] for name in used}) > 900
    without_joint = {re.sub(r"\.j\d", "", name) for name in used}
    assert len({name for name in without_joint if not name.startswith("c")}) > 200


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_phrase_and_form_is_used(operation: Operation) -> None:
    wanted = {f"{forms.name}.{place}" for forms in operation.forms for place in range(len(forms.phrases))}
    wanted |= {wording.name for forms in operation.forms for wording in (*forms.statements, *forms.exchanges)}
    for number in range(60_000):
        draws = Draws(key_of(5), number)
        wanted -= set(present(draws, operation.draw(draws))[1].split("/"))
        if not wanted:
            return
    assert wanted == set()


def test_texts_seldom_stand_twice(documents: list[Document]) -> None:
    assert len({document.text for document in documents}) > 0.998 * len(documents)


def test_texts_are_what_a_tokenizer_keeps(documents: list[Document]) -> None:
    for document in documents:
        assert document.text == document.text.strip() and "<|" not in document.text
        assert not re.search(r"[{}]", document.text) or "latex" in document.template


def test_operations_are_as_frequent_as_the_table_says(documents: list[Document]) -> None:
    assert sum(operation.weight for operation in OPERATIONS) == 1000
    counts = Counter(document.operation for document in documents)
    for operation in OPERATIONS:
        expected = DOCUMENTS * operation.weight / 1000
        assert abs(counts[operation.name] - expected) < 5 * expected**0.5, operation.name


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_problems_are_true_and_as_their_operation_says(operation: Operation) -> None:
    assert operation.rule.endswith(".")
    known = [forms.name for forms in operation.forms]
    for number in range(1500):
        problem = operation.draw(Draws(key_of(9), number))
        assert equation_holds(problem.canonical), problem
        assert bool(problem.expression) == operation.is_symbolic
        assert problem.forms.name in (known or [""])
        for step in problem.steps:
            assert equation_holds(f"{canonical(problem.expression)} = {canonical(step)}")


def test_the_docs_have_the_table_of_operations() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/arithmetic.md").read_text()
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    assert rows == [f"| `{one.name}` | {one.weight / 10:g} % | {one.rule} |" for one in OPERATIONS]
    assert f"{len(set(templates().values())):,} distinct patterns" in page


def test_a_seed_stands_for_the_same_documents_for_ever() -> None:
    """When this fails on purpose, give GENERATOR_VERSION its next number along with the new digest."""
    digest = hashlib.sha256()
    for number in range(2000):
        digest.update(make(key_of(42), number).record(42) + b"\n")
    assert (GENERATOR_VERSION, digest.hexdigest()) == (
        1,
        "771e8edbb0b2bd78e931514cfceaa1b83d6d1e630c52a41990f96d29924c6daa",
    )
    assert make(key_of(42), 7) != make(key_of(43), 7)
