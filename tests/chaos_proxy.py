"""An HTTP proxy that misbehaves as object stores and networks do, at random but by a seed; put before S3Server in tests.

    with ChaosProxy(s3.endpoint, seed=7, share=0.2) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        ...
    proxy.counts            # Counter({"requests": 812, "reset": 31, "slow_down": 24, ...})

By hand: `python -m tests.chaos_proxy http://127.0.0.1:9000 --port 9001 --share 0.2 --seed 7`.

It also knows the conditions on writing that AWS does and rclone does not: If-None-Match of a PUT, If-Match of a DELETE.

What becomes of a request depends on the seed, what is asked for, and how often that was asked before; not on the order among
requests. So two runs that ask for the same get the same, however many workers they have, and no request fails for ever.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.exceptions import ClientError

from tests.s3_server import KEY, SECRET

FAULTS = ("reset", "lost_answer", "truncate", "delay", "internal_error", "unavailable", "slow_down")
"""reset: before the store sees the request; lost_answer: after it was carried out; truncate: half of the body, then a reset."""

DENIED = "denied"
"""No fault of the network, and only on request: 403 to everything."""

_ANSWERS = {"internal_error": (500, "InternalError"), "unavailable": (503, "ServiceUnavailable"), "slow_down": (503, "SlowDown")}
_ANSWERS[DENIED] = (403, "AccessDenied")
_PIECE_BYTES = 1 << 20
_HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding", "content-length"}


class ChaosProxy:
    """Serves `target` (`http://host:port`) at `endpoint` while the context is open; `share` of the requests meet a fault.

    `latency_seconds` is added to every request, and a connection gives `bytes_per_second` at most (0: all it can); a delayed
    request waits up to `delay_seconds`. `share` may be changed meanwhile.
    """

    def __init__(
        self,
        target: str,
        *,
        seed: int = 0,
        share: float = 0.2,
        faults: Sequence[str] = FAULTS,
        delay_seconds: float = 0.3,
        latency_seconds: float = 0.0,
        bytes_per_second: float = 0.0,
        port: int = 0,
    ) -> None:
        assert set(faults) <= {*FAULTS, DENIED}, f"faults {faults}: allowed: {FAULTS}"
        self.target, self.seed, self.share, self.faults = target.removeprefix("http://"), seed, share, tuple(faults)
        self.delay_seconds, self.latency_seconds = delay_seconds, latency_seconds
        self.bytes_per_second = bytes_per_second
        self.counts: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.one_at_a_time = threading.Lock()
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        self.store = boto3.client("s3", endpoint_url=f"http://{self.target}", region_name="us-east-1", **keys)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.proxy = self
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def fate(self, request: str) -> tuple[str | None, float]:
        """What happens to a request: a fault or None, and a number in [0, 1) to measure it by."""
        with self._lock:
            self._asked[request] += 1
            digest = hashlib.sha256(f"{self.seed} {self._asked[request]} {request}".encode()).digest()
            chance, kind, amount = (int.from_bytes(digest[i : i + 6]) / 2**48 for i in (0, 6, 12))
            fault = self.faults[int(kind * len(self.faults))] if chance < self.share else None
            self.counts.update(["requests", fault] if fault else ["requests"])
            return fault, amount

    def __enter__(self) -> ChaosProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: ChaosProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that goes away is no news
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *arguments: Any) -> None:
        return

    def _handle(self) -> None:
        proxy = self.server.proxy
        fault, amount = proxy.fate(_identity(self.command, self.path, self.headers.get("Range", "")))
        if fault == "reset":
            self._reset()
            return
        body = self._body()
        if body is None:  # its sender was killed amid it: no store takes half a body for the whole
            self._reset()
            return
        time.sleep(proxy.latency_seconds + (amount * proxy.delay_seconds if fault == "delay" else 0))
        if fault in _ANSWERS:
            self._refuse(*_ANSWERS[fault])
            return
        with proxy.one_at_a_time if self._condition() else nullcontext():
            if not self._holds():
                self._refuse(412, "PreconditionFailed")
                return
            self._forward(body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def _condition(self) -> str | None:
        return self.headers.get({"PUT": "If-None-Match", "DELETE": "If-Match"}.get(self.command, "-"))

    def _holds(self) -> bool:
        condition = self._condition()
        if condition is None:
            return True
        bucket, _, key = unquote(self.path.lstrip("/").partition("?")[0]).partition("/")
        try:
            etag = self.server.proxy.store.head_object(Bucket=bucket, Key=key)["ETag"]
        except ClientError:
            return condition == "*"
        return etag == condition

    def _forward(self, body: bytes, fault: str | None) -> None:
        upstream = http.client.HTTPConnection(self.server.proxy.target, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():  # Host as it came: it is signed
                if name.lower() not in _HOP_BY_HOP:
                    upstream.putheader(name, value)
            if body or self.command in ("PUT", "POST"):
                upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body or None)
            self._pass_on(upstream.getresponse(), fault)
        except (OSError, http.client.HTTPException):
            self._reset()
        finally:
            upstream.close()

    def _body(self) -> bytes | None:
        """None where the connection ended before the body did."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            return body if len(body) == length else None
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0] or b"-1", 16):
            piece = self.rfile.read(size) if size > 0 else b""
            if len(piece) < size or size < 0:
                return None
            pieces.append(piece)
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue
        return b"".join(pieces)

    def _refuse(self, status: int, code: str) -> None:
        answer = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by the proxy</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def _pass_on(self, answer: http.client.HTTPResponse, fault: str | None) -> None:
        length = answer.getheader("Content-Length")
        whole = None if length is not None or self.command == "HEAD" else answer.read()
        left = len(whole) if whole is not None else int(length or 0)
        if self.command == "HEAD" or answer.status in (204, 304):
            left = 0
        if fault == "lost_answer" or (fault == "truncate" and left < 2):
            answer.read()
            self._reset()
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", length if whole is None and length is not None else str(left))
        self.end_headers()
        left = left // 2 if fault == "truncate" else left
        began, sent, rate = time.monotonic(), 0, self.server.proxy.bytes_per_second
        while left:
            piece = whole[:left] if whole is not None else answer.read(min(left, _PIECE_BYTES))
            if not piece:
                raise http.client.IncompleteRead(b"")
            self.wfile.write(piece)
            left -= len(piece)
            sent += len(piece)
            if rate:
                time.sleep(max(0.0, began + sent / rate - time.monotonic()))
        if fault == "truncate":
            time.sleep(0.005)  # a reset at once would take back what was sent, too
            self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        descriptor = self.connection.detach()
        if descriptor >= 0:
            os.close(descriptor)


def _identity(method: str, path: str, byte_range: str) -> str:
    """A request as the same run asks for it again: without the numbers that a store gives to uploads."""
    return f"{method} {re.sub('uploadId=[^&]*', 'uploadId', path)} {byte_range}"


def main() -> None:
    """Serve until interrupted; then print what was done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    given = parser.parse_args()
    with ChaosProxy(
        given.target, seed=given.seed, share=given.share, port=given.port, latency_seconds=given.latency_seconds
    ) as proxy:
        print(proxy.endpoint, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(dict(proxy.counts))


if __name__ == "__main__":
    main()
