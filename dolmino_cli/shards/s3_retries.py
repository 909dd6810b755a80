"""When a request to S3 is tried again, and after how long: one rule for every request, and for bodies that break off.

botocore's own rule is replaced. Its standard mode gives up after three attempts, or when all requests of the process together
have failed a hundred times more than they succeeded; a store that throttles for a minute ends a run of days by it. It knows
nothing of bodies of objects either, which are read after the answer. Where AWS_MAX_ATTEMPTS or a profile's `max_attempts` is
set, it is kept to.
"""

from __future__ import annotations

import random
import time
from typing import Any

from dolmino_cli.shards.s3_troubles import note

ALLOWED_SECONDS = 300.0
"""How long a request is tried without a byte of progress."""

_NO_CONNECTION_SECONDS = 60.0  # a server that restarts is back by then; who mistyped an endpoint waits no longer
_FIRST_PAUSE_SECONDS = {"SlowDown": 0.4, "no connection": 0.4}
_OTHER_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 20.0

_THROTTLED = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "RequestThrottled"}
_BY_CODE = {"InternalError": "500", "RequestTimeout": "timeout", "IncompleteBody": "short", "ServiceUnavailable": "503"}
_BY_STATUS = {429: "SlowDown", 500: "500", 502: "503", 503: "503", 504: "503"}


class Patience:
    """The attempts at one request: a pause before each next one, or the end of it."""

    def __init__(self, *, most_attempts: int | None = None) -> None:
        self._most_attempts = most_attempts
        self._attempts, self._failing_since = 0, 0.0

    def pause_seconds(self, kind: str) -> float | None:
        """How long to wait after a failure of `kind`; None to give up. The wait doubles each time and is random below that
        ("full jitter"), so that many workers that failed together do not come back together.
        """
        now = time.monotonic()
        if not self._attempts:
            self._failing_since = now
        self._attempts += 1
        allowed_seconds = min(ALLOWED_SECONDS, _NO_CONNECTION_SECONDS) if kind == "no connection" else ALLOWED_SECONDS
        if now - self._failing_since >= allowed_seconds or self._attempts == self._most_attempts:
            return None
        first = _FIRST_PAUSE_SECONDS.get(kind, _OTHER_FIRST_PAUSE_SECONDS)
        pause = random.uniform(0, min(_LONGEST_PAUSE_SECONDS, first * 2.0 ** min(self._attempts, 16)))
        note(kind, pause)
        return pause

    def after(self, error: Exception) -> float | None:
        """As `pause_seconds`, after an error that was raised; None also where trying again would not help, or was given up."""
        kind = kind_of(error) if not hasattr(error, "__notes__") else None
        seconds = self.pause_seconds(kind) if kind else None
        if kind and seconds is None:
            error.add_note(str(self))
        return seconds

    def progressed(self) -> None:
        """Bytes came: the time that may pass without any begins anew."""
        self._attempts = 0

    def __str__(self) -> str:
        times = "once" if self._attempts == 1 else f"{self._attempts} times"
        return f"tried {times} in {time.monotonic() - self._failing_since:,.0f} s"


def kind_of(error: BaseException) -> str | None:
    """Why a request that raised `error` may be tried again, as a kind of `s3_troubles`; None where that would not help."""
    from botocore import exceptions as of_botocore
    from urllib3 import exceptions as of_urllib3

    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return None
    if isinstance(error, (of_botocore.ReadTimeoutError, of_botocore.ConnectTimeoutError, TimeoutError)):
        return "timeout"
    if isinstance(error, (of_botocore.EndpointConnectionError, of_botocore.ProxyConnectionError)):
        return "no connection"
    if isinstance(error, (of_botocore.IncompleteReadError, of_botocore.ResponseStreamingError)):
        return "short"
    connection = (of_botocore.HTTPClientError, of_botocore.ConnectionError, of_urllib3.HTTPError, ConnectionError)
    return "reset" if isinstance(error, connection) else None


def kind_of_answer(code: str, status: int) -> str | None:
    """As `kind_of`, of an answer with an error's code and HTTP status."""
    return "SlowDown" if code in _THROTTLED else _BY_CODE.get(code) or _BY_STATUS.get(status)


def install(client: Any) -> None:
    """Have an S3 client of botocore follow this rule."""
    most_attempts = client.meta.config.retries.get("total_max_attempts")

    def pause(*, response: Any, caught_exception: Any, request_dict: Any, **_: Any) -> float | None:
        patience: Patience = request_dict["context"].setdefault("dolmino", Patience(most_attempts=most_attempts))
        if caught_exception is not None:
            return patience.after(caught_exception)
        http, answer = response
        kind = kind_of_answer(str(answer.get("Error", {}).get("Code", "")), http.status_code) if http.status_code >= 300 else None
        seconds = patience.pause_seconds(kind) if kind else None
        if kind and seconds is None:
            answer["ResponseMetadata"]["Tried"] = str(patience)
        return seconds

    client.meta.events.unregister("needs-retry.s3", unique_id="retry-config-s3")
    client.meta.events.register("needs-retry.s3", pause, unique_id="dolmino-retries")
    client.meta.events.register("before-parse.s3", _refuse_short_body, unique_id="dolmino-short-bodies")


def _refuse_short_body(*, operation_model: Any, response_dict: Any, **_: Any) -> None:
    """Make an error of an answer whose body ended early without a reset: botocore would fail to parse it, once and for all."""
    if operation_model.has_streaming_output or operation_model.http.get("method") == "HEAD":
        return
    promised = response_dict["headers"].get("content-length")
    if promised is not None and len(response_dict["body"]) < int(promised):
        response_dict["status_code"] = 500  # as botocore itself does for errors inside answers of status 200
        response_dict["body"] = b"<Error><Code>IncompleteBody</Code></Error>"
