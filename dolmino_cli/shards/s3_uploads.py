"""Uploads to S3 in parts that were begun and neither completed nor aborted: they cost like objects, and no listing shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.s3_client import client
from dolmino_cli.shards.s3_object import split


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One that was begun; `bytes` is the sum of the parts that arrived."""

    uri: str
    id: str
    bytes: int
    age_seconds: float


def unfinished_uploads(root: str) -> Iterator[Upload]:
    """Those of keys below `root`, running ones too. Takes s3:ListBucketMultipartUploads. Raises StorageError."""
    bucket, prefix = split(f"{root.rstrip('/')}/")
    with storage_errors("list the unfinished uploads below", root):
        for page in _pages(bucket, prefix):
            now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
            for upload in page.get("Uploads", []):
                yield Upload(
                    uri=f"s3://{bucket}/{upload['Key']}",
                    id=upload["UploadId"],
                    bytes=_bytes(bucket, upload["Key"], upload["UploadId"]),
                    age_seconds=max(0.0, (now - upload["Initiated"]).total_seconds()),
                )


def _pages(bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        yield from client().get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchUpload":  # what rclone says where there has been none
            raise


def _bytes(bucket: str, key: str, id: str) -> int:
    from botocore.exceptions import ClientError

    pages = client().get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=id)
    try:
        return sum(part["Size"] for page in pages for part in page.get("Parts", []))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchUpload":  # completed meanwhile
            return 0
        raise


def abort(upload: Upload) -> None:
    """Forget the upload and its parts, if it is still there. Raises StorageError."""
    from botocore.exceptions import ClientError

    bucket, key = split(upload.uri)
    with storage_errors("abort the upload of", upload.uri):
        try:
            client().abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload.id)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "NoSuchUpload":
                raise
