"""S3 as a store: list, stat, open, put, upload, delete. Every request is tried again as `s3_retries` says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.s3_client import client
from dolmino_cli.shards.s3_object import StoredObject, split
from dolmino_cli.shards.shard import Shard, changed

__all__ = ["client", "split"]

_PART_BYTES = 16 << 20  # S3 takes 10,000 parts: s3transfer makes them larger above 160 GB
_PARTS_AT_ONCE = 4
_UPLOADS_AT_MOST = 5


def stat(uri: str) -> Shard | None:
    """The object at `uri`; None where there is none."""
    bucket, key = split(uri)
    if not key or key.endswith("/"):
        return None
    with storage_errors("look at", uri):
        head = _or_none(client().head_object, Bucket=bucket, Key=key)
    return head and Shard(path=uri, name=key.rsplit("/", 1)[-1], bytes=head["ContentLength"], etag=head["ETag"].strip('"'))


def _or_none(call: Any, **arguments: Any) -> Any:
    """The answer of an S3 call, or None where the key (not the bucket) does not exist."""
    from botocore.exceptions import ClientError

    try:
        return call(**arguments)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "NotFound"):
            return None
        raise


def walk(root: str) -> Iterator[Shard]:
    """Every object whose key begins with `root/`; names relative to it. Folder markers (keys ending in `/`) are no objects."""
    bucket, prefix = split(root)
    prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    with storage_errors("list", root):
        for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                key = entry["Key"]
                if not key.endswith("/"):
                    name = key[len(prefix) :]
                    yield Shard(path=f"s3://{bucket}/{key}", name=name, bytes=entry["Size"], etag=entry["ETag"].strip('"'))


def open_bytes(uri: str, *, scattered: bool = False) -> BinaryIO:
    """The object as a stream; `scattered`: for reading here and there."""
    from dolmino_cli.shards.s3_reading import S3Reader

    return cast(BinaryIO, S3Reader(uri, scattered=scattered))


def read_bytes(uri: str) -> bytes | None:
    """The whole object, or None where there is none."""
    with storage_errors("read", uri):
        found = _or_none(StoredObject(uri).fetch, start=0, length=None)
        return None if found is None else bytes(found)


def read_range(stored: Shard, start: int, length: int) -> bytes:
    """`length` bytes of an object from `start` on.

    Raises DataError when it is not the object that `stored` describes any more, StorageError.
    """
    with storage_errors("read", stored.path):
        data = bytes(StoredObject(stored.path, etag=stored.etag).fetch(start, length))
    if len(data) != length:
        raise changed(stored.path)
    return data


def write_bytes(uri: str, data: bytes) -> None:
    """Put a small object in one request."""
    bucket, key = split(uri)
    with storage_errors("write", uri):
        client().put_object(Bucket=bucket, Key=key, Body=data)


def write_new(uri: str, data: bytes) -> bool:
    """Put a small object unless there is one; returns whether it was put.

    Stores that do not know `If-None-Match` overwrite; so it is looked for before. A put whose answer was lost, and which is
    then refused because of itself, counts as put: no two processes put the same data.
    """
    from botocore.exceptions import ClientError

    if stat(uri) is not None:
        return False
    bucket, key = split(uri)
    with storage_errors("write", uri):
        try:
            client().put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
        except ClientError as error:
            if not _refused_condition(error):
                raise
            return bool(error.response["ResponseMetadata"].get("RetryAttempts")) and read_bytes(uri) == data
    return True


def remove_if(uri: str, data: bytes) -> bool:
    """Delete a small object if it holds `data`; returns whether this call did.

    Of several processes that try at once, one succeeds where the store knows `If-Match` of a deletion (AWS does); one whose
    answer was lost may count itself, too.
    """
    from botocore.exceptions import ClientError

    bucket, key = split(uri)
    with storage_errors("delete", uri):
        stored = StoredObject(uri)
        found = _or_none(stored.fetch, start=0, length=None)
        if found != data:
            return False
        try:
            client().delete_object(Bucket=bucket, Key=key, IfMatch=stored.etag)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code in ("NotImplemented", "InvalidArgument", "InvalidRequest"):
                delete(uri)
                return True
            if code not in ("NoSuchKey", "404") and not _refused_condition(error):
                raise
            # It was deleted by the first of several attempts, whose answer was lost; or by somebody else, and put anew.
            return bool(error.response["ResponseMetadata"].get("RetryAttempts")) and stat(uri) is None
    return True


def _refused_condition(error: Any) -> bool:
    return error.response.get("Error", {}).get("Code") in ("PreconditionFailed", "ConditionalRequestConflict", "412")


def age_seconds(uri: str) -> float | None:
    """How long ago the object was put, by the store's own clock; None where there is none."""
    from email.utils import parsedate_to_datetime

    bucket, key = split(uri)
    with storage_errors("look at", uri):
        head = _or_none(client().head_object, Bucket=bucket, Key=key)
    if head is None:
        return None
    now = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
    return float((now - head["LastModified"]).total_seconds())


def listed(root: str) -> Iterator[tuple[str, int, float]]:
    """Name, bytes and age in seconds, by the store's own clock, of the objects below `root/`."""
    from email.utils import parsedate_to_datetime

    bucket, prefix = split(f"{root.rstrip('/')}/")
    with storage_errors("list", root):
        for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
            for entry in page.get("Contents", []):
                yield entry["Key"][len(prefix) :], entry["Size"], max(0.0, (now - entry["LastModified"]).total_seconds())


def upload(file: Path, uri: str) -> None:
    """Upload a local file, in parts where it is large; the object appears when the last part has arrived.

    One that fails leaves no parts behind; of a process that is killed, `dolmino clean` removes them.
    """
    from boto3.s3.transfer import TransferConfig

    bucket, key = split(uri)
    config = TransferConfig(
        multipart_threshold=_PART_BYTES,
        multipart_chunksize=_PART_BYTES,
        max_concurrency=_PARTS_AT_ONCE,
        preferred_transfer_client="classic",  # the other one would go round our retries
    )
    with storage_errors("write", uri):
        for attempt in range(1, _UPLOADS_AT_MOST + 1):
            try:
                client().upload_file(str(file), bucket, key, Config=config)
                return
            except _upload_failures() as error:
                # The upload was completed and the answer lost, so that the store knows no such upload any more (or it has
                # forgotten one that was not complete). What lies there is not told: it is written again.
                if "NoSuchUpload" not in str(error) or attempt == _UPLOADS_AT_MOST:
                    raise


def _upload_failures() -> tuple[type[Exception], ...]:
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import ClientError

    return (S3UploadFailedError, ClientError)


def delete(uri: str) -> None:
    """Remove the object, if it is there."""
    bucket, key = split(uri)
    with storage_errors("delete", uri):
        client().delete_object(Bucket=bucket, Key=key)
