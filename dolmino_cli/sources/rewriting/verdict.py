"""Which answers become documents, and why the others do not. Depends on the answer and the template alone."""

from __future__ import annotations

from dolmino_cli.sources.rewriting.outcome import Outcome
from dolmino_cli.sources.rewriting.template import Accept

REASONS = ("too_long", "refused", "cut_off", "not_finished", "empty", "too_short", "text_missing", "not_allowed")
"""In the order that they are looked at:

- `too_long`: the prompt does not fit the model's context, says the endpoint;
- `refused`: by a content filter, or by the model itself where the endpoint says so;
- `cut_off`: the answer reached `max_tokens`; `not_finished`: it ended for any other reason than its own end;
- `empty`, `too_short`, `text_missing`, `not_allowed`: the template's `accept`.
"""


def verdict(outcome: Outcome, accept: Accept) -> tuple[str, str]:
    """The answer without white space around it, and the reason that it is dropped for ("" when it is kept).

    Where the template lists the allowed answers, the answer is the one of them that was meant.
    """
    if outcome.kind in ("too_long", "refused"):
        return "", outcome.kind
    assert outcome.kind == "answer", f"no verdict on {outcome.kind}"
    text = outcome.text.strip()
    if outcome.finish == "content_filter":
        return text, "refused"
    if outcome.finish == "length":
        return text, "cut_off"
    if outcome.finish != "stop":
        return text, "not_finished"
    if not text:
        return text, "empty"
    if accept.allowed:
        meant = {one.casefold(): one for one in accept.allowed}.get(text.strip(".\"'*` ").casefold())
        return (text, "not_allowed") if meant is None else (meant, "")
    if len(text) < accept.min_characters:
        return text, "too_short"
    if not all(wanted.casefold() in text.casefold() for wanted in accept.contains):
        return text, "text_missing"
    return text, ""
