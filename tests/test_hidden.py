"""Packages that libraries look for without need stay where they are, and are there for whoever asks for them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dolmino_cli.hidden import hidden
from tests.pipeline.make import RECIPE, line, write_shard
from tests.tokenizer.make import byte_level

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

_FAKE = """
import os
from pathlib import Path
Path(os.environ["SEEN"], f"{__name__}-{os.getpid()}").touch()
raise ImportError("this is none")
"""
_KERNEL = """  - word_concentration: {top: 1, into: share}
  - keep: {score: share, at_most: 1.0, reason: share}
"""


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
def test_arrays_need_no_pandas_and_data_frames_get_it() -> None:
    subprocess.run([sys.executable, "-c", _ARRAYS], check=True)


def test_what_is_hidden_can_be_imported_afterwards() -> None:
    with hidden("this_is_hidden"), pytest.raises(ModuleNotFoundError, match="this_is_hidden is not needed yet"):
        import this_is_hidden  # type: ignore[import-not-found]
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        import this_is_hidden  # noqa: F401
    with hidden("this"):
        import sys as still_found
    assert still_found is sys


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which every process that imports pandas or scipy leaves a file in `seen`."""
    (tmp_path / "fake").mkdir()
    for name in ("pandas", "scipy"):
        (tmp_path / f"fake/{name}.py").write_text(_FAKE)
    (tmp_path / "seen").mkdir()
    paths = [str(tmp_path / "fake"), str(Path(__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "SEEN": str(tmp_path / "seen")}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("verb", ["filter", "retokenize"])
def test_no_process_of_a_run_imports_pandas_or_scipy(
    tmp_path: Path, environment: dict[str, str], verb: str, workers: int
) -> None:
    for name in "abcd":
        write_shard(tmp_path / f"in/{name}.jsonl.zst", [line(1, 5, 7)])
    (tmp_path / "recipe.yaml").write_text(RECIPE + _KERNEL)
    given: dict[str, list[object]] = {
        "filter": [tmp_path / "recipe.yaml", tmp_path / "in"],
        "retokenize": [tmp_path / "in", "-t", byte_level(tmp_path / "tokenizer.json")],
    }
    arguments = [verb, *map(str, given[verb]), "-o", str(tmp_path / "out"), "-w", str(workers)]
    subprocess.run([sys.executable, "-m", "dolmino_cli.cli.main", *arguments], check=True, env=environment, timeout=120)
    assert list((tmp_path / "seen").iterdir()) == []
    subprocess.run([sys.executable, "-m", "dolmino_cli.cli.main", "mix", "list"], check=True, env=environment, timeout=120)
    assert list((tmp_path / "seen").iterdir()) == []
    subprocess.run([sys.executable, "-c", "import pyarrow; pyarrow.array([1]); import numba"], check=True, env=environment)
    assert len(list((tmp_path / "seen").iterdir())) == 2
