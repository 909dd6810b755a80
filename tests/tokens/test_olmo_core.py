"""OLMo-core's own reader finds in our arrays the documents that we wrote.

OLMo-core needs PyTorch, so it lives in an environment of its own: `make olmo-core`, or one that DOLMINO_OLMO_CORE_PYTHON
names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dolmino_cli.tokens.retokenize import retokenize
from tests.tokenizer.make import byte_level
from tests.tokens.make import documents_in, many_shards

READER = """
import json, sys
try:
    import numpy as np
    from olmo_core.data.utils import iter_document_indices, load_array_slice_into_tensor
except ImportError as error:
    print(f"no OLMo-core: {error}", file=sys.stderr)
    raise SystemExit(77)
eos, dtype = int(sys.argv[1]), getattr(np, sys.argv[2])
found = []
for path in sys.argv[3:]:
    by_index = list(iter_document_indices(path, use_array_if_local=False, dtype=dtype))
    by_eos = [(int(a), int(b)) for a, b in iter_document_indices(path, eos_token_id=eos, dtype=dtype)]
    assert by_index == by_eos, path
    found += [load_array_slice_into_tensor(path, a, b, dtype).tolist() for a, b in by_index]
json.dump(found, sys.stdout)
"""


def test_olmo_core_reads_our_documents(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path / "tokenizer.json")
    arrays = retokenize(
        [str(many_shards(tmp_path / "in"))], tokenizer=str(tokenizer), output=str(tmp_path / "out"), tokens_per_file=3000
    )
    files = [str(tmp_path / "out" / file.name) for file in arrays.files]
    assert len(files) > 1
    made = Path(sys.prefix) / "olmo-core" / "bin" / "python"
    python = os.environ.get("DOLMINO_OLMO_CORE_PYTHON", str(made) if made.exists() else sys.executable)
    command = [python, "-c", READER, str(arrays.tokenizer.eos_id), arrays.dtype, *files]
    reader = subprocess.run(command, capture_output=True, text=True, check=False)
    if reader.returncode == 77:
        pytest.skip(f"OLMo-core cannot be imported by {python} ({reader.stderr.strip()}); `make olmo-core` installs it")
    assert reader.returncode == 0, reader.stderr
    assert json.loads(reader.stdout) == [ids for ids, *_ in documents_in(arrays)]
