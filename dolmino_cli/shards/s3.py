"""S3 as a store: list, stat, open, upload. All settings come from boto3's own chain of variables, profiles and roles."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from dolmino_cli.errors import ConfigError, DataError, StorageError
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.shard import Shard

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

_READ_AHEAD_BYTES = 1 << 20
_RETRY_SECONDS = (0.5, 2, 8)


def split(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix, or glob) of `s3://bucket/key`. Raises ConfigError without a bucket."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigError(f"{uri!r} names no bucket; write s3://bucket/key")
    return bucket, key


def client() -> Any:
    """The S3 client of this process for the AWS_* variables as they are now."""
    return _client(os.getpid(), tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))))


@functools.lru_cache(maxsize=4)
def _client(_process: int, _settings: tuple[tuple[str, str], ...]) -> Any:
    from botocore.config import Config

    with storage_errors("set up", "access to S3"):
        made = _session().client("s3")
        if ".amazonaws.com" in made.meta.endpoint_url or "AWS_REQUEST_CHECKSUM_CALCULATION" in os.environ:
            return made
        # Other stores give a whole object's checksum back with a part of it, which pyarrow then refuses to read.
        return _session().client("s3", config=Config(request_checksum_calculation="when_required"))


def _session() -> Any:
    import boto3

    # boto3 itself looks at AWS_DEFAULT_REGION only; every other AWS tool takes AWS_REGION first.
    return boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)


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


def open_bytes(uri: str) -> BinaryIO:
    """The object's bytes as a stream, reconnecting where the connection is lost."""
    from smart_open import s3 as smart_s3

    bucket, key = split(uri)
    with storage_errors("read", uri):
        return cast(BinaryIO, smart_s3.open(bucket, key, "rb", buffer_size=_READ_AHEAD_BYTES, client=client()))


def read_bytes(uri: str) -> bytes | None:
    """The whole object, or None where there is none."""
    bucket, key = split(uri)
    with storage_errors("read", uri):
        answer = _or_none(client().get_object, Bucket=bucket, Key=key)
        return None if answer is None else cast(bytes, answer["Body"].read())


def read_range(stored: Shard, start: int, length: int) -> bytes:
    """`length` bytes of an object from `start` on; tried again for some seconds where the store fails.

    Raises DataError when it is not the object that `stored` describes any more, StorageError.
    """
    bucket, key = split(stored.path)
    for pause_seconds in (*_RETRY_SECONDS, None):
        try:
            with storage_errors("read", stored.path):
                answer = client().get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{start + length - 1}")
                data = cast(bytes, answer["Body"].read())  # what botocore itself does not try again
        except StorageError:
            if pause_seconds is None:
                raise
            time.sleep(pause_seconds)
            continue
        if answer["ETag"].strip('"') != stored.etag or len(data) != length:
            raise DataError("was changed while it was being read; restore it, and run the command again", path=stored.path)
        return data
    raise AssertionError("the last attempt returns or raises")


def write_bytes(uri: str, data: bytes) -> None:
    """Put a small object in one request."""
    bucket, key = split(uri)
    with storage_errors("write", uri):
        client().put_object(Bucket=bucket, Key=key, Body=data)


def write_new(uri: str, data: bytes) -> bool:
    """Put a small object unless there is one; returns whether it was put.

    Stores that do not know `If-None-Match` overwrite; so it is looked for before.
    """
    from botocore.exceptions import ClientError

    if stat(uri) is not None:
        return False
    bucket, key = split(uri)
    with storage_errors("write", uri):
        try:
            client().put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("PreconditionFailed", "ConditionalRequestConflict"):
                return False
            raise
    return True


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


def ages(root: str) -> Iterator[tuple[str, float]]:
    """Names of the objects below `root/`, with the seconds since they were put, by the store's own clock."""
    from email.utils import parsedate_to_datetime

    bucket, prefix = split(f"{root.rstrip('/')}/")
    with storage_errors("list", root):
        for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
            for entry in page.get("Contents", []):
                yield entry["Key"][len(prefix) :], (now - entry["LastModified"]).total_seconds()


def upload(file: Path, uri: str) -> None:
    """Upload a local file, in parts where it is large; the object appears when the last part has arrived."""
    bucket, key = split(uri)
    with storage_errors("write", uri):
        client().upload_file(str(file), bucket, key)


def delete(uri: str) -> None:
    """Remove the object, if it is there."""
    bucket, key = split(uri)
    with storage_errors("delete", uri):
        client().delete_object(Bucket=bucket, Key=key)


def arrow_filesystem(bucket: str) -> S3FileSystem:
    """pyarrow's S3 with boto3's credentials, endpoint and region (for AWS itself, the bucket's own region).

    Made anew per shard: credentials of roles expire.
    """
    from botocore.exceptions import NoCredentialsError
    from pyarrow import fs

    meta = client().meta
    with storage_errors("open", f"s3://{bucket}"):
        credentials = _session().get_credentials()
        if credentials is None:
            raise NoCredentialsError
        frozen = credentials.get_frozen_credentials()
        if ".amazonaws.com" in meta.endpoint_url:
            options = {"region": fs.resolve_s3_region(bucket)}
        else:
            scheme, _, host = meta.endpoint_url.partition("://")
            region = "us-east-1" if meta.region_name in (None, "aws-global") else meta.region_name
            options = {"region": region, "scheme": scheme, "endpoint_override": host}
        return fs.S3FileSystem(access_key=frozen.access_key, secret_key=frozen.secret_key, session_token=frozen.token, **options)
