"""`dolmino train` as it is typed: lists, printed runs, and the figures of docs/training.md as the code has them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dolmino_cli.bundled import bundled_names
from dolmino_cli.train.planning.memory import memory_of
from dolmino_cli.train.planning.shapes import SHAPES, shape
from dolmino_cli.train.planning.sizes import Sizes, sizes_of
from dolmino_cli.train.planning.throughput import Throughput
from dolmino_cli.train.read_run import read_run
from dolmino_cli.train.run_file import Hardware, Run
from tests.cli.run import dolmino
from tests.train.data.make import write_mix

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
    (done,) = re.findall(r'DONE = "(.*?)"', (ROOT / "dolmino_cli" / "train" / "train.py").read_text())
    assert f'"$OUTPUT/{done}"' in text
    assert re.findall(r"--(?:mix|checkpoint|output|seed) ", text) == ["--mix ", "--checkpoint ", "--output ", "--seed "]


def test_progress_is_said_and_ctrl_c_ends_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loop itself is stood in for: a run that is stopped, by each of the signals, after two readings."""
    write_mix(tmp_path)
    monkeypatch.chdir(tmp_path)
    figures = {"steps": 4, "loss": 2.5, "learning_rate": 1e-3, "gradient_norm_mean": 1.25, "tokens_per_second_per_gpu": 8282.4}
    unknown = {"mfu_full": None, "kilowatt_hours": None, "memory_peak_gib": None, "left_out_steps": 0, "seconds_left": 60.0}
    known = {"mfu_full": 0.4, "kilowatt_hours": 1.5, "memory_peak_gib": 45.67, "left_out_steps": 2, "seconds_left": 0.0}
    readings = [SimpleNamespace(step=1, **figures, **unknown), SimpleNamespace(step=4, **figures, **known)]
    for signal, code in (("SIGINT", 130), ("SIGTERM", 0), (None, 0)):

        def train(run: Run, *, say: Any, progress: Any, signal: str | None = signal) -> SimpleNamespace:
            for reading in readings:
                progress(reading)
            say(f"seed {run.seed}")
            return SimpleNamespace(stopped_by=signal)

        monkeypatch.setitem(sys.modules, "dolmino_cli.train.train", SimpleNamespace(train=train))
        options = ["-m", "mix", "-o", "out", "--seed", "5", "--set", "sequence_length=64"]
        ended = dolmino(monkeypatch, capsys, "train", "tiny", *options)
        assert ended.code == code, ended.err
        lines = ended.err.splitlines()
        assert lines[-3 if code == 0 else -4 :][:3] == [
            "step 1/4, loss 2.5000, learning rate 1.000e-03, gradient norm 1.25, 8,282 tokens/s a GPU, about 60 s left",
            "step 4/4, loss 2.5000, learning rate 1.000e-03, gradient norm 1.25, 8,282 tokens/s a GPU, MFU 40.0 %,"
            " at most 1.50 kWh, 45.7 GiB, 2 updates left out",
            "seed 5",
        ]
    monkeypatch.setenv("RANK", "1")
    assert dolmino(monkeypatch, capsys, "train", "tiny", "-m", "nowhere").code == 0  # what is wrong is rank 0's to say
