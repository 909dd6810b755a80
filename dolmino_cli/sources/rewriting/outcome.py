"""Outcome: what became of one request, as the journal keeps it."""

from __future__ import annotations

from typing import Literal

import msgspec

# Unpaid and perhaps only this server's: a rerun, with a longer context say, asks these again.
ASKED_AGAIN = ("too_long", "bad_request", "gave_up")


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a request. `request` is the sha256 of its body; tokens and `model` are as the server states them.

    `kind`: an `answer`; the endpoint's word that the prompt is `too_long`, that it is `refused` (a content filter), or that this
    one is a `bad_request`, with its words in `why`; or `gave_up`, when no try brought an answer.
    `tries` counts by cause those that brought nothing; `seconds` is what the last one took.
    """

    number: int
    line: int
    copy: int
    request: str
    kind: Literal["answer", "too_long", "refused", "bad_request", "gave_up"]
    text: str = ""
    finish: str = ""
    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    tries: dict[str, int] = msgspec.field(default_factory=dict)
    why: str = ""
