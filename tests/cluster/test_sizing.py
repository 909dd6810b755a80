"""docs/cluster.md has the sizes that benchmarks/cluster/sizing.py works out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_has_what_the_rates_give() -> None:
    script = [sys.executable, str(ROOT / "benchmarks/cluster/sizing.py")]
    printed = subprocess.run(script, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    page = (ROOT / "docs/cluster.md").read_text()
    between = page.partition("<!-- sizing: begin -->\n")[2].partition("<!-- sizing: end -->")[0]
    assert between.strip() == printed.strip()
