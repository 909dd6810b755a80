"""Each way that an answer is not used has its own reason."""

from __future__ import annotations

from typing import Any

import pytest

from dolmino_cli.sources.rewriting.completion import read_completion, read_refusal
from dolmino_cli.sources.rewriting.outcome import Outcome
from dolmino_cli.sources.rewriting.template import Accept
from dolmino_cli.sources.rewriting.verdict import verdict


def outcome(text: str, finish: str = "stop", **fields: Any) -> Outcome:
    return Outcome(
        **{"number": 0, "line": 1, "copy": 0, "request": "", "kind": "answer", "text": text, "finish": finish} | fields
    )


@pytest.mark.parametrize(
    ("given", "accept", "expected"),
    [
        (outcome(" It is 4. \n"), Accept(), ("It is 4.", "")),
        (outcome("It is", "length"), Accept(), ("It is", "cut_off")),
        (outcome("It is 4.", "abort"), Accept(), ("It is 4.", "not_finished")),
        (outcome("", "content_filter"), Accept(), ("", "refused")),
        (outcome("", kind="refused"), Accept(), ("", "refused")),
        (outcome("", kind="too_long"), Accept(), ("", "too_long")),
        (outcome(" \n"), Accept(), ("", "empty")),
        (outcome("ab"), Accept(min_characters=3), ("ab", "too_short")),
        (outcome("abc"), Accept(min_characters=3), ("abc", "")),
        (outcome("The Final Answer: 4"), Accept(contains=("final answer",)), ("The Final Answer: 4", "")),
        (outcome("4"), Accept(contains=("final answer",)), ("4", "text_missing")),
        (outcome('"Math."'), Accept(allowed=("math", "other")), ("math", "")),
        (outcome("maths"), Accept(allowed=("math", "other")), ("maths", "not_allowed")),
    ],
)
def test_verdict(given: Outcome, accept: Accept, expected: tuple[str, str]) -> None:
    assert verdict(given, accept) == expected


def test_completion_is_read_as_the_server_states_it() -> None:
    body = (
        b'{"model": "m-1", "choices": [{"message": {"content": "x\\ud83d"}, "finish_reason": "stop"}],'
        b' "usage": {"prompt_tokens": 3, "completion_tokens": true}}'
    )
    found = read_completion(body)
    assert (found.text, found.finish, found.model) == ("x\ufffd", "stop", "m-1")
    assert (found.prompt_tokens, found.completion_tokens) == (3, None)
    refusal = b'{"choices": [{"message": {"content": null, "refusal": "no"}, "finish_reason": "stop"}]}'
    assert (read_completion(refusal).finish, read_completion(refusal).text) == ("content_filter", "")


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"choices": []}', b'{"choices": [3]}', b'{"choices": [{}]}', b"null", DEEP]
)
def test_what_is_no_completion_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_completion(body)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error": {"code": "context_length_exceeded", "message": "..."}}', "too_long"),
        (400, b'{"object": "error", "message": "This model\'s maximum context length is 4096 tokens."}', "too_long"),
        (413, b"", "too_long"),
        (400, b'{"error": {"code": "content_filter", "message": "The response was filtered"}}', "refused"),
        (400, b'{"error": {"message": "max_tokens is too large: 99999"}}', "bad_request"),
        (422, b'{"error": "temperature"}', "bad_request"),
        (400, b"<html>", "bad_request"),
        (400, DEEP, "bad_request"),
    ],
)
def test_refusals_of_one_request(status: int, body: bytes, kind: str) -> None:
    assert read_refusal(status, body)[0] == kind
