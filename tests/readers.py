"""Other programs' own readers, each in an environment that `make olmo-core` or `make datatrove` installs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

_NAMES = {"olmo-core": "OLMo-core", "datatrove": "datatrove"}


def run_reader(program: Literal["olmo-core", "datatrove"], script: str, *arguments: str) -> Any:
    """What `script` prints as JSON under the program's Python: $DOLMINO_OLMO_CORE_PYTHON, or that of its environment.

    The script's imports end at its line `# reads`; the test skips where one of them fails.
    """
    made = Path(sys.prefix) / program / "bin" / "python"
    variable = f"DOLMINO_{program.replace('-', '_').upper()}_PYTHON"
    python = os.environ.get(variable, str(made) if made.exists() else sys.executable)
    imports, _, body = script.partition("# reads\n")
    guarded = "\n".join(
        [
            "import sys",
            "try:",
            *(f"    {line}" for line in imports.splitlines()),
            "except ImportError as error:",
            "    print(error, file=sys.stderr)",
            "    raise SystemExit(77)",
            body,
        ]
    )
    reader = subprocess.run([python, "-c", guarded, *arguments], capture_output=True, text=True, check=False)
    if reader.returncode == 77:
        pytest.skip(f"{_NAMES[program]} cannot be imported by {python} ({reader.stderr.strip()}); `make {program}` installs it")
    assert reader.returncode == 0, reader.stderr
    return json.loads(reader.stdout.splitlines()[-1])
