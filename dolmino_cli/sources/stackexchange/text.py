"""A question and its answer as one text: HTML to text, and how many line feeds stand between the parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from dolmino_cli.errors import MissingExtra

Profile = Literal["paper", "ai2"]


def html_to_text() -> tuple[Callable[[str], str], str]:
    """(HTML -> plain text, the library's name and version): resiliparse's `extract_plain_text`, stripped, as Ai2 used.

    Blocks become lines, code blocks keep their own. Raises MissingExtra.
    """
    try:
        from importlib.metadata import version

        from resiliparse.extract.html2text import extract_plain_text
    except ImportError:
        raise MissingExtra("resiliparse", extra="stackexchange", needed_for="turning posts' HTML into text") from None

    def convert(html: str) -> str:
        text: str = extract_plain_text(html)
        return text.strip()

    return convert, f"resiliparse {version('resiliparse')}"


def pair_text(title: str, question: str, answer: str, *, profile: Profile) -> str:
    """Title, question and answer (plain texts), separated by more line feeds than stand together in any part.

    Between question and answer: one more than the longest run in either (OLMo 2 paper, section 4.3), a text without line
    feeds counting as a run of one. The paper does not say what stands between title and question: `paper` takes one more than
    the QUESTION's longest run. Ai2's SQL (dolma, sources/stackexchange/README.md, refs never merged) computes the column called
    question_max_newline from the answer's body and the other way around, so that there, `ai2`, the title is followed by one
    more than the ANSWER's longest run.
    """
    of_question, of_answer = longest_run(question), longest_run(answer)
    after_title = of_answer if profile == "ai2" else of_question
    after_question = max(of_question, of_answer)
    return "".join([title.strip(), "\n" * (after_title + 1), question, "\n" * (after_question + 1), answer])


def longest_run(text: str) -> int:
    r"""The most \n that stand together in `text`, at least 1."""
    run = "\n\n"
    while run in text:  # five times as fast as finding all runs: texts have short ones
        run += "\n"
    return len(run) - 1
