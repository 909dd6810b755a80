"""A real HTTP server on the loopback interface that speaks chat completions, and misbehaves as it is told to.

It keeps a log of what came in and what went out, so that a test can say what was paid for, and when.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

OK = "ok"
# Each kind of misbehaviour that a request may meet before it is answered, by a seeded schedule.
TROUBLES = ("429", "500", "503", "cut", "close", "garbage", "slow")
USUAL_SECONDS = 0.01
HEADERS = {"429": "Retry-After: 0.05\r\n"}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request: its place in the log, sha256 of its body, what was done to it."""

    digest: str
    what: str


@dataclass(kw_only=True)
class ChatServer:
    """`behave(body, times)` says what happens to a request that has come `times` times before; see `misbehaving`."""

    behave: Callable[[bytes, int], str] = lambda _body, _times: OK
    reply: Callable[[dict[str, Any]], dict[str, Any]] = lambda _: {}
    """Overrides for the answer to a request: `content`, `finish_reason`, `usage`, ..."""
    seconds: float = USUAL_SECONDS
    held: Callable[[], bool] = lambda: False
    """While this is true no request is answered: what a test waits for happens meanwhile, however slow the machine is."""
    log: list[Seen] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    usages: dict[str, dict[str, int]] = field(default_factory=dict)
    """What was stated for each request that was answered, by sha256 of its body."""
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    under_way: int = 0
    most_under_way: int = 0

    def __enter__(self) -> ChatServer:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(60)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def answered(self) -> Counter[str]:
        """How often each request was answered whole, by sha256 of its body."""
        return Counter(seen.digest for seen in list(self.log) if seen.what == OK)

    def _serve(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client was killed, or the test is over
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(fields["content-length"]))
        self.headers.append(head)
        digest = hashlib.sha256(body).hexdigest()
        self.bodies[digest] = json.loads(body)
        what = self.behave(body, self.times[digest])
        self.times[digest] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            there_still = await self._work(what, reader)
            # Before it is sent: a client may have used an answer before this thread has its next turn.
            self.log.append(Seen(digest=digest, what=what))
            return there_still and await self._answer(what, body, writer)
        finally:
            self.under_way -= 1

    async def _work(self, what: str, reader: asyncio.StreamReader) -> bool:
        """Take the time that an answer takes, for ever if it is slow; whether the client is still there afterwards."""
        if what == "slow":
            return bool(await reader.read(1))  # nothing comes but the end, when the client has enough
        await asyncio.sleep(self.seconds)
        while self.held():
            await asyncio.sleep(0.005)
        return True

    async def _answer(self, what: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Send what the schedule says; whether the connection stays open."""
        if what == "close":
            return False
        answer = answer_to(body, self.reply(json.loads(body)))
        status, content = 200, json.dumps(answer).encode()
        if what == OK and answer["usage"]:
            self.usages[hashlib.sha256(body).hexdigest()] = answer["usage"]
        if what == "garbage":
            content = b"<html>try again</html>"
        elif what.partition(" ")[0].isdigit():
            number, _, message = what.partition(" ")
            status, content = int(number), json.dumps({"error": {"message": message or "no"}}).encode()
        head = f"HTTP/1.1 {status} X\r\n{HEADERS.get(what, '')}Content-Length: {len(content)}\r\n\r\n"
        sent = content[: len(content) // 2] if what == "cut" else content
        writer.write(head.encode() + sent)
        await writer.drain()
        return what != "cut"


def answer_to(body: bytes, overrides: dict[str, Any]) -> dict[str, Any]:
    """The same answer to the same request, with usage that differs between requests."""
    request = json.loads(body)
    digest = hashlib.sha256(body).digest()
    words = " ".join(message["content"] for message in request["messages"]).split()
    usage = {"prompt_tokens": len(words), "completion_tokens": 5 + digest[0] % 50}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": overrides.get("content", f"Answer {digest.hex()[:12]} to: {words[-1]}")},
        "finish_reason": overrides.get("finish_reason", "stop"),
    }
    model = overrides.get("model", f"served-{request['model']}")
    return {"id": "x", "model": model, "choices": [choice], "usage": overrides.get("usage", usage)}


def misbehaving(seed: int, *, share: float = 0.3, troubles: Sequence[str] = TROUBLES) -> Callable[[bytes, int], str]:
    """Trouble for `share` of all tries, chosen by seed, request and try; none for the fourth try and later."""

    def behave(body: bytes, times: int) -> str:
        chooser = random.Random(f"{seed} {hashlib.sha256(body).hexdigest()} {times}")
        return chooser.choice(troubles) if times < 3 and chooser.random() < share else OK

    return behave
