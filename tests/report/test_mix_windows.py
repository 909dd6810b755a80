"""What is said of a mix's windows; a warning when, and only when, larger parts would lose fewer tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.mix.sampling.sample import sample
from dolmino_cli.report.mix_windows import tail_warning, windows_line
from tests.mix.make import write_manifest, write_uniform_arrays


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (2, "windows of 8 tokens: 3,749; masked for repetition: 0 (0 %); tokens that fill none: 8 (0.027 %)"),
        (1, "windows of 7 tokens: 4,285; masked for repetition: 0 (0 %); tokens that fill none: 5 (0.017 %)"),
    ],
)
def test_the_tail(tmp_path: Path, parts: int, line: str) -> None:
    write_uniform_arrays(tmp_path / "tokens" / "web", documents=1000, length=30, prefix="d")
    manifest = write_manifest(tmp_path / "m.yaml", web="source_percent: 100")
    length = int(line.split()[2])
    result = sample(
        manifest,
        output=str(tmp_path / "mix"),
        arrays_root=str(tmp_path / "tokens"),
        tokens_per_file=30_000 // parts,
        sequence_length=length,
    )
    assert len(result.lock.outputs or []) == parts
    assert windows_line(result.lock) == line
    assert tail_warning(result.lock) == (
        None
        if parts == 1  # less than one window: no cutting loses less
        else "8 tokens (0.027 %) at the ends of 2 parts fill no window of 8 and are never trained on;"
        " --tokens-per-file 80000 loses less"
    )
