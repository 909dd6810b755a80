"""What stands between title, question and answer, as the paper says it and as Ai2's SQL did it."""

from __future__ import annotations

import pytest

from dolmino_cli.sources.stackexchange.text import html_to_text, longest_run, pair_text


@pytest.mark.parametrize(
    ("text", "run"), [("", 1), ("ab", 1), ("a\nb", 1), ("a\n\nb\n", 2), ("\n\n\na\n\n", 3), ("a\n \n\nb", 2)]
)
def test_longest_run(text: str, run: int) -> None:
    assert longest_run(text) == run


@pytest.mark.parametrize(
    ("question", "answer", "paper", "ai2"),
    [
        ("q", "a", "t\n\nq\n\na", "t\n\nq\n\na"),
        # The question has runs of two, the answer of one: the title's separator is where the two disagree.
        ("q\n\nq", "a\na", "t\n\n\nq\n\nq\n\n\na\na", "t\n\nq\n\nq\n\n\na\na"),
        ("q", "a\n\n\na", "t\n\nq\n\n\n\na\n\n\na", "t\n\n\n\nq\n\n\n\na\n\n\na"),
        ("", "", "t\n\n\n\n", "t\n\n\n\n"),
    ],
)
def test_separators(question: str, answer: str, paper: str, ai2: str) -> None:
    assert pair_text(" t ", question, answer, profile="paper") == paper
    assert pair_text(" t ", question, answer, profile="ai2") == ai2


def test_html_becomes_text_and_code_keeps_its_lines() -> None:
    convert, name = html_to_text()
    assert convert("<p>Use &lt;b&gt;:</p>\n\n<pre><code>def f(x):\n    return x &lt; 3\n\n\nf(1)\n</code></pre>\n") == (
        "Use <b>:\n\ndef f(x):\n    return x < 3\n\n\nf(1)"
    )
    assert convert(" <p> a <code>b</code>  c </p>") == "a b c"
    assert convert("") == ""
    assert name.startswith("resiliparse ")
