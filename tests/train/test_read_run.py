"""Runs from files and presets: presets against the mixes and cosines that they come from; overrides; YAML and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dolmino_cli import strict_yaml
from dolmino_cli.bundled import bundled_names, find
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import load
from dolmino_cli.train.learning_rate import Cosine
from dolmino_cli.train.planning.shapes import shape
from dolmino_cli.train.read_run import presets, read_run, run_yaml
from dolmino_cli.train.run_file import Run

NAMES = bundled_names("train/presets")
TEXTS = {name: find("train/presets", name).read_text() for name in NAMES}


def test_presets_are_named_after_their_files_and_say_where_they_come_from() -> None:
    assert [run.name for run in presets()] == NAMES
    for run in presets():
        assert run.reference and run.shape and shape(run.shape)
        assert run.seeds[0] == run.seed
        assert (run.mix, run.checkpoint, run.output) == (None, None, None)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tiny"])
def test_a_preset_agrees_with_the_mix_that_it_is_for(name: str) -> None:
    """The mixes' `training:` was taken from the same configs: batch, sequence, and for the size it names, steps and rate."""
    (mix,) = re.findall(r"^# Made for the mix ([\w.-]+)\.$", TEXTS[name], re.M)
    run, training = read_run(name), load(find("mixes", mix)).training
    assert training is not None and training.learning_rate is not None
    assert run.sequence_length == training.sequence_length
    if run.shape == "olmo2-1b":
        assert (run.batch_sequences, run.steps) == (training.batch_sequences // 2, 23_852)
        assert f"{run.steps:,} steps, from {run.learning_rate.first:.4e}".replace("e-05", "e-5") in find("mixes", mix).read_text()
        return
    assert run.batch_sequences == training.batch_sequences
    if run.shape == "olmo2-32b":
        assert f"{run.steps:,} steps, from {run.learning_rate.first * 1e5:.3f}e-5" in find("mixes", mix).read_text()
        return
    assert (run.steps, run.learning_rate.first) == (training.steps, training.learning_rate.start)
    if name.startswith("llm-jp") and not name.endswith("-linear"):
        assert (run.learning_rate.schedule, training.learning_rate.end) == ("constant", training.learning_rate.start)
    else:
        assert (run.learning_rate.schedule, run.learning_rate.end) == ("linear", 0.0)


def test_the_cosine_of_stage_1_stands_beside_every_configured_rate() -> None:
    """Exact for the 1B and 13B; the 7B's configured start is 0.24 % above; the 32B's is the cosine itself."""
    found = {}
    for name, text in TEXTS.items():
        if match := re.search(r"^  # start_from: (\{.*\})  # the cosine of stage 1 there: (\S+)$", text, re.M):
            cosine = strict_yaml.build(strict_yaml.compose_text(match[1], name), Cosine, name)
            assert cosine.rate() == pytest.approx(float(match[2]), rel=1e-5)
            found[read_run(name).shape] = read_run(name).learning_rate.first / cosine.rate() - 1
    assert found == {
        "olmo2-1b": pytest.approx(0, abs=1e-5),
        "olmo2-7b": pytest.approx(0.0024, abs=5e-5),
        "olmo2-13b": pytest.approx(0, abs=1e-9),
    }
    assert read_run("olmo2-32b-100b").learning_rate.first == pytest.approx(6.623e-5, rel=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("-as-run")])
def test_as_run_differs_only_where_it_says_so(name: str) -> None:
    ran, configured = read_run(name).decides(), read_run(name.removesuffix("-as-run")).decides()
    assert (ran.pop("loss"), configured.pop("loss")) == (
        {"z_loss": 1e-4, "denominator": "tokens", "repeated_windows": "instance", "document_masking": False},
        {"z_loss": 1e-5, "denominator": "targets", "repeated_windows": "instance", "document_masking": False},
    )
    assert ran == configured


def test_the_last_eleven_steps_of_ai2_train_at_0() -> None:
    for name in ("olmo2-1b", "olmo2-7b", "olmo2-13b-100b", "olmo2-13b-300b"):
        run = read_run(name)
        assert run.steps is not None
        rates = [
            run.learning_rate.rate(step, steps=run.steps, batch_tokens=run.batch_tokens)
            for step in range(run.steps - 20, run.steps + 1)
        ]
        assert sum(rate == 0 for rate in rates) == 11


@pytest.mark.parametrize("run", presets(), ids=lambda run: run.name)
def test_a_printed_run_is_the_same_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(run_yaml(run))
    assert read_run(str(tmp_path / "run.yaml")) == run


def test_overrides_are_read_as_strictly_as_the_file() -> None:
    changes = ["optimizer.skip_step={window: 64}", "hardware.replicas=4", "loss.z_loss=1e-4", "shape=null", "seeds=[1, 2]"]
    run = read_run("tiny", changes)
    assert run.optimizer.skip_step is not None and run.optimizer.skip_step.window == 64
    assert (run.hardware.replicas, run.hardware.precision, run.loss.z_loss, run.shape) == (4, "fp32", 1e-4, None)
    assert run.seeds == (1, 2)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("loss.z_loss", "write KEY=VALUE"),
        ("=3", "write KEY=VALUE"),
        ("z_loss=1e-4", "no key 'z_loss'; keys: name, batch_sequences"),
        ("loss.z=1e-4", "no key 'z'; keys of loss: z_loss, denominator"),
        ("steps.x=3", "no key 'x'; keys of steps: none, it is a value"),
        ("hardware.replicas=two", "--set hardware.replicas:1: hardware.replicas: expected a whole number, got 'two'"),
        ("loss.denominator=rows", "allowed: targets, tokens, counted"),
        ("optimizer.clip_norm=0", "clip_norm 0.0; eps and clip_norm must be more than 0"),
    ],
)
def test_overrides_that_are_refused(override: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        read_run("tiny", [override])


def test_what_decides_a_run_is_neither_its_place_nor_its_layout() -> None:
    run = read_run("tiny")
    same = read_run("tiny", ["mix=a", "output=b", "name=c", "seeds=[]", "hardware.replicas=2", "watch.every_steps=1"])
    assert same.decides() == run.decides()
    assert read_run("tiny", ["seed=1"]).decides() != run.decides()
