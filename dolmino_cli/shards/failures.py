"""What goes wrong with storage, in one line: what, where, why, what to do. Never a credential."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dolmino_cli.errors import StorageError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space or choose another place",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another place",
    errno.EFBIG: "the file would be larger than this file system or `ulimit -f` allows; choose another place",
    errno.EACCES: "permission denied; check who owns it and its mode",
    errno.EPERM: "permission denied; check who owns it and its mode",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "a part of this path is a file, not a folder",
    errno.EEXIST: "a part of this path is a file, not a folder",
    errno.EISDIR: "this is a folder, not a file",
}

# Errors of remote stores that are not OSErrors, by module: looked up only where the module is loaded.
_REMOTE = {
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "boto3.exceptions": ("Boto3Error",),
    "urllib3.exceptions": ("HTTPError",),
    "httpx": ("HTTPError",),
    "httpx2": ("HTTPError",),
}

_BAD_CREDENTIALS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "AuthorizationHeaderMalformed",
}


@contextmanager
def storage_errors(doing: str, path: str) -> Iterator[None]:
    """Turn the errors of disks, S3 and the Hub into StorageError: `cannot <doing> <path>: <why>`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot {doing} {path}: {explain(error, path)}") from error
    except _remote_errors() as error:
        raise StorageError(f"cannot {doing} {path}: {explain(error, path)}") from error


def _remote_errors() -> tuple[type[Exception], ...]:
    loaded = [(sys.modules.get(module), names) for module, names in _REMOTE.items()]
    return tuple(getattr(module, name) for module, names in loaded if module is not None for name in names)


def explain(error: BaseException, path: str = "") -> str:
    """Why, and what to do about it, in words; after how many attempts, where there was more than one."""
    tried = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    # s3transfer puts the service's answer inside an error of its own.
    for inner in (error.__cause__, error.__context__):
        if inner is not None and hasattr(inner, "response"):
            error = inner
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        code = str(response.get("Error", {}).get("Code", ""))
        metadata = response.get("ResponseMetadata", {})
        tried = f" ({metadata['Tried']})" if "Tried" in metadata else tried
        return explain_s3(code, int(metadata.get("HTTPStatusCode", 0)), getattr(error, "operation_name", ""), path) + tried
    hub_status = getattr(response, "status_code", None)
    if hub_status in (401, 403):
        return f"the Hub refused ({hub_status}): no such dataset, or it needs a login (HF_TOKEN) or its terms accepted"
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
        return "no usable AWS credentials found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if isinstance(error, OSError) and error.errno is not None:
        return _ADVICE.get(error.errno, error.strerror or str(error))
    return (" ".join(str(error).split()) or name) + tried


def explain_s3(code: str, status: int, operation: str, path: str = "") -> str:
    """The S3 service's answer in words. The service's own message is left out: it may name keys and accounts."""
    if code in _BAD_CREDENTIALS:
        return f"S3 does not accept the credentials in use ({code}); check AWS_PROFILE, the access key and its region"
    if code == "NoSuchBucket":
        return "there is no such bucket here; check its name, AWS_ENDPOINT_URL and AWS_REGION"
    if status == 403 or code == "AccessDenied":
        wrong = "are wrong, or " if code == "403" else ""  # an answer to a HEAD has no body that says which
        return f"S3 refused (403): the credentials in use {wrong}may not do this{_needed(operation, path)}"
    if status == 404 or code in ("NoSuchKey", "404"):
        return "there is no such key (404)"
    return f"S3 answered {code or 'an error'} (HTTP {status}) to {operation or 'the request'}"


def _needed(operation: str, path: str) -> str:
    """Which permissions an operation takes, on what."""
    if not operation:
        return ""
    bucket = f"s3://{path.removeprefix('s3://').partition('/')[0]}" if path.startswith("s3://") else "the bucket"
    on_bucket = {"ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket", "ListMultipartUploads": "ListBucketMultipartUploads"}
    if operation in on_bucket:
        return f"; they need s3:{on_bucket[operation]} on {bucket}"
    action = {"HeadObject": "GetObject", "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject"}
    action["CompleteMultipartUpload"] = "PutObject"
    needed = f"; they need s3:{action.get(operation, operation)} on {path if path.startswith('s3://') else 'it'}"
    if operation in ("GetObject", "HeadObject"):
        return f"{needed}, and s3:ListBucket on {bucket}, without which S3 refuses a key that is not there in the same words"
    return needed
