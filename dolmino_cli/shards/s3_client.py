"""The S3 client of a process. All settings come from boto3's own chain of variables, profiles and roles."""

from __future__ import annotations

import functools
import os
from typing import Any

from dolmino_cli.shards.failures import storage_errors

CONNECTIONS = 32
"""What is kept open at most, for the threads that read ahead and those that upload."""

_CONNECT_SECONDS, _READ_SECONDS = 10, 60


def client() -> Any:
    """The S3 client of this process for the AWS_* variables as they are now."""
    return _client(os.getpid(), tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))))


@functools.lru_cache(maxsize=4)
def _client(_process: int, _settings: tuple[tuple[str, str], ...]) -> Any:
    import boto3
    from botocore.config import Config

    from dolmino_cli.shards.s3_retries import install

    with storage_errors("set up", "access to S3"):
        # boto3 itself looks at AWS_DEFAULT_REGION only; every other AWS tool takes AWS_REGION first.
        session = boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
            # Objects are read by ranges, which have no checksum; some stores send the whole object's with each.
            response_checksum_validation="when_required",
        )
        made = session.client("s3", config=config)
        if ".amazonaws.com" not in made.meta.endpoint_url and "AWS_REQUEST_CHECKSUM_CALCULATION" not in os.environ:
            # Other stores may not know the checksums that AWS asks for, or the trailers that they come in.
            made = session.client("s3", config=config.merge(Config(request_checksum_calculation="when_required")))
        install(made)
        return made
