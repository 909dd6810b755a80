"""Reading one object from S3: our reader against boto3's stream and smart_open's, by hand.

    python -m benchmarks.cluster.s3_reading --megabytes 256

rclone serves S3 on this machine: once as it is, and once through a proxy that makes it as far away, and as slow per
connection, as S3 is within its region (30 ms per request, 90 MB/s). "busy" readers compute 8 ms after every MB, as filters do.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from dolmino_cli.shards.s3_client import client
from dolmino_cli.shards.s3_reading import S3Reader
from tests.chaos_proxy import ChaosProxy
from tests.s3_server import S3Server

FAR = {"latency_seconds": 0.03, "bytes_per_second": 90e6}
PIECE_BYTES = 1 << 20
BUSY_SECONDS_PER_PIECE = 0.008
KEY = "large"
NO_HASHES = ("--etag-hash", "")  # or rclone hashes the whole object for every request of a part of it


def ours() -> Any:
    """As `dolmino filter` reads."""
    return S3Reader(f"s3://bucket/{KEY}")


def boto3_stream() -> Any:
    """`get_object()["Body"]`."""
    return client().get_object(Bucket="bucket", Key=KEY)["Body"]


def smart_open() -> Any:
    """`smart_open.open`, where it is installed."""
    from smart_open import s3

    return s3.open("bucket", KEY, "rb", client=client())


def pieces(source: Any) -> Iterator[bytes]:
    """All of a stream."""
    while piece := source.read(PIECE_BYTES):
        yield piece


def rate(opened: Callable[[], Any], total_bytes: int, busy: bool) -> float:
    """MB/s of one go through the object; `busy` holds a core as a filter does, and lets go of Python's lock as kernels do."""
    began, got = time.perf_counter(), 0
    for piece in pieces(opened()):
        got += len(piece)
        if busy:
            time.sleep(BUSY_SECONDS_PER_PIECE)
    assert got == total_bytes, f"{got} of {total_bytes} bytes"
    return total_bytes / (time.perf_counter() - began) / 1e6


def main() -> None:
    """Print a line per reader, the best of three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=256)
    total_bytes = parser.parse_args().megabytes * 1_000_000
    with tempfile.TemporaryDirectory() as folder, S3Server(Path(folder), options=NO_HASHES) as server:
        os.environ.update(server.environment)
        server.file(KEY).write_bytes(os.urandom(1_000_000) * (total_bytes // 1_000_000))
        print(f"{'MB/s':<16}{'near':>10}{'near, busy':>14}{'as S3':>10}{'as S3, busy':>14}")
        for reader in (ours, boto3_stream, smart_open):
            rates = []
            for far in (False, True):
                proxy = ChaosProxy(server.endpoint, share=0, **FAR)
                with proxy if far else nullcontext():
                    os.environ["AWS_ENDPOINT_URL"] = proxy.endpoint if far else server.endpoint
                    rates += [max(rate(reader, total_bytes, busy) for _ in range(3)) for busy in (False, True)]
            print(f"{reader.__name__:<16}{rates[0]:>10.0f}{rates[1]:>14.0f}{rates[2]:>10.0f}{rates[3]:>14.0f}", flush=True)


if __name__ == "__main__":
    main()
