"""Where and how to ask: the endpoint's address, its key, and how patiently. None of it changes what is asked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dolmino_cli.errors import ConfigError

MOST_TIMEOUT_SECONDS = 86_400
_KEY = re.compile(r"[!-~]+")  # what a header can hold


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible endpoint. The key is in no representation of it."""

    url: str
    """The base, such as `http://127.0.0.1:8000/v1`; requests go to `<url>/chat/completions`."""
    key: str | None = field(default=None, repr=False)
    concurrency: int
    """Most requests that are under way at any time."""
    timeout_seconds: float
    """Of one try, from its first byte to its last."""
    tries: int
    """Of one request; then it is left for a rerun."""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number, a bracket that is not closed
            usable = False
        if not usable:
            raise ConfigError(f"--endpoint {self.url!r}; give a base URL such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password:
            raise ConfigError("--endpoint with a user or password in it; give the key in OPENAI_API_KEY instead")
        if self.url.rstrip("/").endswith("/chat/completions"):
            raise ConfigError(f"--endpoint {self.url!r}; leave /chat/completions off, it is added")
        if not 0 < self.timeout_seconds <= MOST_TIMEOUT_SECONDS:
            allowed = f"allowed: more than 0, at most {MOST_TIMEOUT_SECONDS:,} seconds"
            raise ConfigError(f"--timeout {self.timeout_seconds:g}; {allowed}")
        if self.key is not None and not _KEY.fullmatch(self.key):
            raise ConfigError("OPENAI_API_KEY holds a space, a line end or a letter outside ASCII; give the key alone")

    def without_key(self, text: str) -> str:
        """`text`, as it may be shown: servers like to quote the key that they refuse."""
        return text.replace(self.key, "[key]") if self.key else text


def endpoint_of(url: str | None, *, concurrency: int, timeout_seconds: float, tries: int) -> Endpoint:
    """The endpoint `url`, or that of OPENAI_BASE_URL; the key is OPENAI_API_KEY. Raises ConfigError when neither is there."""
    given = url or os.environ.get("OPENAI_BASE_URL")
    if not given:
        raise ConfigError("no endpoint; give --endpoint URL (such as http://127.0.0.1:8000/v1 of vLLM), or set OPENAI_BASE_URL")
    key = os.environ.get("OPENAI_API_KEY", "").strip() or None
    return Endpoint(url=given.rstrip("/"), key=key, concurrency=concurrency, timeout_seconds=timeout_seconds, tries=tries)
