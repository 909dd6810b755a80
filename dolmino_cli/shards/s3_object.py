"""One object in S3 by ranges of bytes, each whole however often the connection breaks, and all of the same version."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

from dolmino_cli.errors import ConfigError, DataError, StorageError
from dolmino_cli.shards.s3_client import client
from dolmino_cli.shards.shard import changed

_PIECE_BYTES = 1 << 20


def split(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix, or glob) of `s3://bucket/key`. Raises ConfigError without a bucket."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigError(f"{uri!r} names no bucket; write s3://bucket/key")
    return bucket, key


class Abandoned(Exception):
    """Nobody wants the bytes any more."""


class StoredObject:
    """An object as it was when its first bytes came, or as `etag` says. `size_bytes` is None until an answer came.

    `etag` is None until then, too, unless it was given. Methods may be called from several threads. They raise botocore's
    errors, and DataError where the object has changed.
    """

    def __init__(self, uri: str, *, etag: str | None = None) -> None:
        self.uri = uri
        self.size_bytes: int | None = None
        self._bucket, self._key = split(uri)
        self.etag = etag and f'"{etag}"'

    def fetch(self, start: int, length: int | None, *, abandoned: threading.Event | None = None) -> bytearray:
        """`length` bytes from `start` on, fewer where the object ends; None: to its end. `start` < 0: its last -`start` bytes.

        Raises Abandoned soon after that event is set.
        """
        from botocore.exceptions import IncompleteReadError

        from dolmino_cli.shards.s3_retries import Patience

        found, got, patience = None, 0, Patience(most_attempts=client().meta.config.retries.get("total_max_attempts"))
        while True:
            try:
                # botocore tries again what fails before an answer comes, but neither bodies nor those of refusals.
                answer = self._ask(start + got, None if length is None else length - got)
                if answer is None:
                    return bytearray()
                if found is None:
                    size = self.size_bytes or 0
                    start = max(0, size + start) if start < 0 else start
                    length = size - start if length is None else min(length, size - start)
                    found = bytearray(length)
                before = got
                with closing(answer["Body"]) as body, memoryview(found) as view:
                    while got < len(found) and (count := body.readinto(view[got : got + _PIECE_BYTES])):
                        got += count
                        patience.progressed()
                        if abandoned is not None and abandoned.is_set():
                            raise Abandoned
                if got == len(found):
                    return found
                if got == before:  # gateways may send less than was asked for, but not nothing
                    raise IncompleteReadError(actual_bytes=got, expected_bytes=len(found))
                continue
            except (Abandoned, DataError, StorageError):
                raise
            except Exception as error:
                pause_seconds = patience.after(error)
                if pause_seconds is None:
                    raise
            if (abandoned or threading.Event()).wait(pause_seconds):
                raise Abandoned

    def _ask(self, start: int, length: int | None) -> Any:
        """The answer with these bytes coming in its body; None where the object ends before them."""
        from botocore.exceptions import ClientError

        asked = {"IfMatch": self.etag} if self.etag else {}
        if start < 0:
            asked["Range"] = f"bytes={start}"
        elif start or length is not None:
            asked["Range"] = f"bytes={start}-{'' if length is None else start + length - 1}"
        try:
            answer = client().get_object(Bucket=self._bucket, Key=self._key, **asked)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 412:
                raise changed(self.uri) from None
            if status != 416:
                raise
            if self.size_bytes:
                raise changed(self.uri) from None  # nobody asks for what lies behind the end
            return None
        try:
            self._check(answer, start)
        except Exception:
            answer["Body"].close()
            raise
        return answer

    def _check(self, answer: Any, start: int) -> None:
        """Raises unless the answer is of this version of the object, and begins where it was asked to."""
        self.etag = self.etag or answer.get("ETag")
        place, _, whole = answer.get("ContentRange", "").rpartition("/")
        size = int(whole or answer["ContentLength"])
        if answer.get("ETag") != self.etag or self.size_bytes not in (None, size):  # not every store knows If-Match
            raise changed(self.uri)
        first = max(0, size + start) if start < 0 else start
        if first and not whole:
            raise StorageError(f"cannot read {self.uri}: the store sends no parts of objects (it ignored a Range)")
        if whole and not place.startswith(f"bytes {first}-"):
            raise StorageError(f"cannot read {self.uri}: asked for bytes from {first} on, the store sent another place ({place})")
        self.size_bytes = size
