"""Client: a request's body in, its outcome out, however often that takes."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from dolmino_cli.errors import ConfigError, MissingExtra, RunFailed
from dolmino_cli.sources.rewriting.completion import Completion, read_completion, read_refusal
from dolmino_cli.sources.rewriting.endpoint import Endpoint
from dolmino_cli.sources.rewriting.outcome import Outcome
from dolmino_cli.sources.rewriting.requests import Request

if TYPE_CHECKING:
    import ssl

    import httpx2

FIRST_WAIT_SECONDS, MOST_WAIT_SECONDS = 0.5, 60.0
MOST_RETRY_AFTER_SECONDS = 600.0
CONNECT_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 4.0  # vLLM closes an idle connection after 5, and a request that meets that is lost

_SHOWN_CHARACTERS = 200  # of what a server says about a request
_RETRIED = {408, 409, 425, 429}
_REFUSED_ONE = {400, 413, 422}
_ADVICE = {
    401: "it does not accept the key; check OPENAI_API_KEY",
    403: "the key may not use this model; check OPENAI_API_KEY and --model",
    404: "no such path or model; check --endpoint (it often ends in /v1) and --model",
}


@dataclass(kw_only=True)
class _Failed(Exception):
    """A try that brought nothing. `wait_seconds`: how long the server asked to wait."""

    cause: str
    wait_seconds: float = 0.0
    said: str = ""


@dataclass(kw_only=True)
class Tries:
    """What the client is doing: requests under way now and at most so far, and all that were sent."""

    under_way: int = 0
    most_under_way: int = 0
    sent: int = 0
    last_failure: str = field(default="", repr=False)


class Client:
    """Asks one endpoint. An async context manager; `stopping` set, it begins no further try.

    It does not bound what its callers start: `ask` is called by as many tasks as may be under way.
    Raises MissingExtra, ConfigError for an address or a proxy that is none.
    """

    def __init__(self, endpoint: Endpoint, stopping: asyncio.Event) -> None:
        try:
            import httpx2
        except ImportError:
            raise MissingExtra("httpx2", extra="rewrite", needed_for="dolmino rewrite") from None
        self._endpoint, self._stopping = endpoint, stopping
        self._url = f"{endpoint.url}/chat/completions"
        self.tries = Tries()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if endpoint.key:
            headers["Authorization"] = f"Bearer {endpoint.key}"
        context = httpx2.create_ssl_context()
        try:
            httpx2.URL(self._url)
        except httpx2.InvalidURL as error:
            raise ConfigError(f"--endpoint {endpoint.url!r}: {error}; give a base URL such as http://127.0.0.1:8000/v1") from None
        try:
            self._pools = [self._pool(headers, context) for _ in range(endpoint.concurrency)]
        except (httpx2.InvalidURL, ValueError, ImportError):  # not in its words: a proxy's URL may hold a password
            proxies = "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names a proxy that cannot be used"
            raise ConfigError(f"{proxies}; give it as http://host:port, or unset it") from None

    def _pool(self, headers: Mapping[str, str], context: ssl.SSLContext) -> httpx2.AsyncClient:
        import httpx2

        # A pool per slot: httpx2 looks at all connections of a pool whenever a request begins or ends, and 16 in one already
        # cost twice the time per request.
        return httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(self._endpoint.timeout_seconds, connect=CONNECT_SECONDS, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE_SECONDS),
            verify=context,
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        for pool in self._pools:
            await pool.aclose()

    async def ask(self, request: Request, *, slot: int) -> Outcome | None:
        """The outcome of `request`; None when the run was stopped before there was one.

        `slot` numbers the callers that may ask at the same time. Raises RunFailed where no request can succeed (401, 403, 404).
        """
        tries: Counter[str] = Counter()
        known: dict[str, Any] = {"number": request.number, "line": request.line, "copy": request.copy}
        known["request"] = request.digest.hex()
        failure = ""
        while tries.total() < self._endpoint.tries:
            if self._stopping.is_set():
                return Outcome(**known, kind="gave_up", tries=dict(tries), why="stopped") if tries else None
            started = time.monotonic()
            try:
                found = await self._once(request.body, self._pools[slot])
            except _Failed as failed:
                tries[failed.cause] += 1
                said = self._endpoint.without_key(failed.said)
                failure = self.tries.last_failure = f"{failed.cause}: {said}" if said else failed.cause
                if tries.total() < self._endpoint.tries:
                    await self._wait(tries.total(), failed.wait_seconds)
                continue
            seconds = round(time.monotonic() - started, 3)
            return Outcome(**known, **found, seconds=seconds, tries=dict(tries))
        return Outcome(**known, kind="gave_up", tries=dict(tries), why=failure)

    async def _wait(self, tries: int, asked_seconds: float) -> None:
        most = min(MOST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (tries - 1))
        # Truly random: clients that failed together must not come back together. No output depends on it.
        seconds = max(min(asked_seconds, MOST_RETRY_AFTER_SECONDS), random.uniform(0, most))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _once(self, body: bytes, pool: httpx2.AsyncClient) -> dict[str, Any]:
        """One try: the outcome's own fields. Raises _Failed, RunFailed."""
        import httpx2

        self.tries.sent += 1
        self.tries.under_way += 1
        self.tries.most_under_way = max(self.tries.most_under_way, self.tries.under_way)
        try:
            # httpx2 times out between bytes; a server that drips would hold a slot for ever.
            async with asyncio.timeout(self._endpoint.timeout_seconds):
                response = await pool.post(self._url, content=body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise _Failed(cause="no connection", said=str(error)) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise _Failed(cause="timeout", said=f"no whole answer within {self._endpoint.timeout_seconds:g} s") from None
        except httpx2.RemoteProtocolError as error:
            cut = "complete message body" in str(error)
            raise _Failed(cause="truncated answer" if cut else "connection lost", said=str(error)) from None
        except httpx2.DecodingError as error:
            raise _Failed(cause="unreadable answer", said=str(error)) from None
        except httpx2.TransportError as error:
            raise _Failed(cause="connection lost", said=str(error)) from None
        finally:
            self.tries.under_way -= 1
        return self._read(response.status_code, response.headers, response.content)

    def _read(self, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        if status == 200:
            try:
                return _answered(read_completion(body))
            except ValueError as error:
                raise _Failed(cause="unreadable answer", said=str(error)) from None
        if status in _REFUSED_ONE:
            kind, why = read_refusal(status, body)
            # Cut last: half a key would not be found.
            return {"kind": kind, "why": self._endpoint.without_key(f"{status}: {why}")[:_SHOWN_CHARACTERS]}
        if status in _RETRIED or status >= 500:
            raise _Failed(cause=f"http {status}", wait_seconds=_retry_after(headers.get("retry-after")))
        advice = _ADVICE.get(status, "check --endpoint")
        raise RunFailed(f"{self._url} answers {status}: {advice}; what was answered is kept, run the same command again")


def _answered(completion: Completion) -> dict[str, Any]:
    return {
        "kind": "answer",
        "text": completion.text,
        "finish": completion.finish,
        "model": completion.model,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
    }


def _retry_after(value: str | None) -> float:
    """Seconds of a Retry-After header: a number, or a date; 0 where there is none or it says neither."""
    if not value:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
