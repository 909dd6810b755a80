"""What an OpenAI-compatible endpoint answers to a chat completion, read strictly enough to trust it was whole."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_TOO_LONG = re.compile(r"context.?length|context.?window|maximum context|too long|too many tokens|string_above_max_length", re.I)
_FILTERED = re.compile(r"content.?(filter|policy|management)|moderation|safety", re.I)


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One answer. `finish` is why the model stopped (`stop`, `length`, `content_filter`, ...).

    `model` is the server's name of it. Tokens are what the server states; None where it states none.
    """

    text: str
    finish: str
    model: str
    prompt_tokens: int | None
    completion_tokens: int | None


def read_completion(body: bytes) -> Completion:
    """The completion in the body of a 200. Raises ValueError when there is none."""
    answer = _decoded(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("choices"), list) or not answer["choices"]:
        raise ValueError("no choices")
    choice = answer["choices"][0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise ValueError("no message")
    refused = message.get("refusal") and not message.get("content")
    usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
    return Completion(
        text=_well_formed(_text(message.get("content"))),
        finish="content_filter" if refused else _well_formed(str(choice.get("finish_reason") or "")),
        model=_well_formed(str(answer.get("model") or "")),
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
    )


def _decoded(body: bytes) -> Any:
    """Raises ValueError for what is no JSON."""
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _text(content: Any) -> str:
    """A message's content: a string, or a list of parts of which those of type `text` count."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _well_formed(text: str) -> str:
    """Text that UTF-8 can hold: a model may stop between the halves of a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(usage: Any, name: str) -> int | None:
    """The number of tokens stated; None where it is no number of tokens that a column of 64 bits could hold."""
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def read_refusal(status: int, body: bytes) -> tuple[str, str]:
    """Why the endpoint refuses one request (400, 413, 422): `too_long`, `refused` or `bad_request`; and its words, in one line.

    Servers say it by code or in words; there is no standard beyond OpenAI's codes.
    """
    words = " ".join(body.decode("utf-8", "replace").split())
    try:
        error = _decoded(body)
        error = error.get("error", error)
        message = error if isinstance(error, str) else error.get("message") or words
        code = "" if isinstance(error, str) else f"{error.get('code') or ''} {error.get('type') or ''}"
    except (ValueError, AttributeError):
        message, code = words, ""
    message = " ".join(_well_formed(str(message)).split())
    if status == 413 or _TOO_LONG.search(f"{code} {message}"):
        return "too_long", message
    if _FILTERED.search(f"{code} {message}"):
        return "refused", message
    return "bad_request", message
