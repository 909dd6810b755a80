"""A page in headless Chromium: the DOM it makes of it, and whatever it complains about."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --disable-quic --disable-dev-shm-usage --disable-extensions --enable-logging=stderr --v=0 "
    "--host-resolver-rules=MAP * ~NOTFOUND"
)


@dataclass(frozen=True)
class Opened:
    dom: str
    console: list[str]


def open_page(page: Path, profile: Path) -> Opened:
    """Open `page` in a browser without any network; skips where there is no browser."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser here to open the page in (looked for {', '.join(NAMES)})")
    options = [f"--{option}" for option in re.split(r"\s*--", QUIET) if option]
    command = [browser, *options, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return Opened(done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line])
