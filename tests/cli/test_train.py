"""`dolmino train` as it is typed: lists, printed runs, and the figures of docs/training.md as the code has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dolmino_cli.bundled import bundled_names
from dolmino_cli.train.memory import memory_of
from dolmino_cli.train.read_run import read_run
from dolmino_cli.train.run_file import Hardware
from dolmino_cli.train.shapes import SHAPES, shape
from dolmino_cli.train.sizes import Sizes, sizes_of
from dolmino_cli.train.throughput import Throughput
from tests.cli.run import dolmino

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "training.md").read_text()


def rows(first: str) -> list[list[str]]:
    """The cells of a table of the page, whose first column's cells match `first`."""
    lines = [line for line in PAGE.splitlines() if re.match(rf"\| {first} \|", line)]
    return [[cell.strip().rstrip(" %GB") for cell in line.strip("|").split("|")] for line in lines]


def of(name: str) -> Sizes:
    sizes = sizes_of(shape(name).config_json())
    assert sizes is not None
    return sizes


def test_the_planning_table_is_what_the_hours_give() -> None:
    """LLM-jp's Table 4: hours and tokens in, all else out; 128 GPUs of 500 W."""
    table = rows(r"llm-jp-\S+ \| \d\S+B")
    assert len(table) == 6
    steps = {"55.80": 6_652, "113.46": 13_526, "337.68": 40_255}
    for name, billions, hours, *printed in table:
        tokens, seconds = steps[billions] * 1024 * 8192, float(hours) * 3600
        throughput = Throughput.of(shape(name).config_json(), sequence_length=8192, device_name="H200", gpus=128, watts=500)
        speed, parameters = tokens / seconds / 128, of(name).parameters
        expected = [
            f"{speed:,.0f}",
            f"{128 * float(hours):,.0f}",
            f"{100 * (throughput.mfu(speed) or 0):.1f}",
            f"{throughput.kilowatt_hours(seconds):,.0f}",
            f"{4 * tokens / 1e9:,.0f}",
            f"{12 * parameters / 1e9:.1f}",
            f"{2 * parameters / 1e9:.1f}",
        ]
        assert printed == expected


def test_the_memory_table_is_the_estimate() -> None:
    table = rows(r"(?:olmo2|llm-jp)-\S+ \| \d+")
    assert [row[0] for row in table] == [name for name in SHAPES if name != "tiny"]
    for name, *printed in table:
        preset = next(each for each in bundled_names("train/presets") if each.startswith(name))
        run = read_run(preset)
        needed = [memory_of(of(name), run.hardware, sequence_length=run.sequence_length, gpus=n) for n in (1, 8, 16, 32, 64)]
        assert printed == [f"{memory.total / 1e9:.0f}" for memory in needed]
    assert Hardware().replicas == 1


def test_the_page_names_every_preset_and_cosine() -> None:
    for name in bundled_names("train/presets"):
        family = re.sub(r"-(as-run|linear)$", "", name)
        assert f"`{family}`" in PAGE
    for size, preset in (("1B", "olmo2-1b"), ("7B", "olmo2-7b"), ("13B", "olmo2-13b-100b")):
        (configured,) = [row[-1] for row in rows(size)]
        assert float(configured) == read_run(preset).learning_rate.first


def test_lists(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    listed = dolmino(monkeypatch, capsys, "train", "--presets")
    lines = {line.split()[0]: line.split() for line in listed.out.splitlines() if line.strip()}
    assert lines["olmo2-7b"] == "olmo2-7b olmo2-7b 11,931 1,024 x 4,096 50.04B 6.1499e-05 -> 0 42, 42069, 666".split()
    assert {*bundled_names("train/presets")} <= {*lines}
    shapes = dolmino(monkeypatch, capsys, "train", "--shapes").out
    assert re.search(r"olmo2-32b +32,234,279,936 +64 +5,120 +27,648 +40/8 +100,352 +4,096 +olmo2", shapes)


def test_a_run_is_printed_with_what_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--mix", "m", "--seed", "666", "--steps", "5", "--set", "hardware.replicas=16"]
    (tmp_path / "run.yaml").write_text(dolmino(monkeypatch, capsys, "train", "olmo2-7b", *given, "--print").out)
    run = read_run(str(tmp_path / "run.yaml"))
    assert run == read_run("olmo2-7b", ["mix=m", "seed=666", "steps=5", "hardware.replicas=16"])


def test_the_batch_script_is_a_script() -> None:
    """Its command parses, and what it waits for is what a run writes at its end."""
    text = (ROOT / "docs" / "slurm" / "train.sbatch").read_text()
    (done,) = re.findall(r'DONE, MODEL = "(.*?)"', (ROOT / "dolmino_cli" / "train" / "train.py").read_text())
    assert f'"$OUTPUT/{done}"' in text
    assert re.findall(r"--(?:mix|checkpoint|output|seed) ", text) == ["--mix ", "--checkpoint ", "--output ", "--seed "]
