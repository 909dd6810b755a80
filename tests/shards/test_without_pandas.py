"""pyarrow makes arrays without pandas, and gives data frames to whoever asks for them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.make import RECIPE, line, write_shard

_ARRAYS = """
import sys
from dolmino_cli.shards.without_pandas import without_pandas
without_pandas()
import pyarrow as pa
table = pa.table({"a": pa.array([1, 2])})
assert "pandas" not in sys.modules
assert table.to_pandas()["a"].tolist() == [1, 2]
import pandas
assert pa.Table.from_pandas(pandas.DataFrame({"b": [3]})).to_pydict() == {"b": [3]}
assert pa.array(pandas.Series([4])).to_pylist() == [4]
without_pandas()
assert pa.array([5]).to_pandas().tolist() == [5]
"""

_FAKE_PANDAS = """
import os
from pathlib import Path
Path(os.environ["SEEN"], str(os.getpid())).touch()
raise ImportError("this is no pandas")
"""


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
def test_arrays_need_no_pandas_and_data_frames_get_it() -> None:
    subprocess.run([sys.executable, "-c", _ARRAYS], check=True)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which every process that imports pandas leaves a file in `seen`."""
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake/pandas.py").write_text(_FAKE_PANDAS)
    (tmp_path / "seen").mkdir()
    paths = [str(tmp_path / "fake"), str(Path(__file__).parents[2])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "SEEN": str(tmp_path / "seen")}


@pytest.mark.parametrize("workers", [1, 2])
def test_no_process_of_a_run_imports_pandas(tmp_path: Path, environment: dict[str, str], workers: int) -> None:
    for name in "abcd":
        write_shard(tmp_path / f"in/{name}.jsonl.zst", [line(1, 5, 7)])
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    arguments = ["filter", str(tmp_path / "recipe.yaml"), str(tmp_path / "in"), "-o", str(tmp_path / "out"), "-w", str(workers)]
    subprocess.run([sys.executable, "-m", "dolmino_cli.cli.main", *arguments], check=True, env=environment, timeout=60)
    assert list((tmp_path / "seen").iterdir()) == []
    subprocess.run([sys.executable, "-c", "import pyarrow; pyarrow.array([1])"], check=True, env=environment)
    assert len(list((tmp_path / "seen").iterdir())) == 1
