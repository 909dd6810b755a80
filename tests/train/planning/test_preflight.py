"""A request that cannot run is refused in one line, with exit code 2, before torch is even imported."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError, StorageError, first_line
from dolmino_cli.mix.for_training import open_mix
from dolmino_cli.train.read_run import read_run
from dolmino_cli.train.saving.checkpoints import State, folder_of
from tests.fake_hub import hub_of
from tests.mix.make import EOS
from tests.train.data.make import write_mix

RUN = """
name: small
batch_sequences: 12
sequence_length: 64
steps: 4
seed: 1
learning_rate: {start: 1e-3}
hardware: {precision: fp32}
"""
MODEL = {
    "model_type": "llama",
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
# Runs requests one after the other, and says of each how it ended and whether torch was there by then.
PROBE = """
import contextlib, io, json, os, sys
from dolmino_cli.cli.main import main
for words, world_size in json.load(sys.stdin):
    os.environ["WORLD_SIZE"], sys.argv = str(world_size), ["dolmino", *words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main()
    heavy = sorted({"torch", "transformers"} & set(sys.modules))
    print(json.dumps([code, out.getvalue(), err.getvalue(), heavy]))
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str
    heavy: list[str]


def requests(folder: Path, asked: Sequence[tuple[list[str], int]]) -> list[Ended]:
    """How `dolmino ...` ends for each (words, processes of the run), in one process."""
    command = [sys.executable, "-c", PROBE]
    home = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True, cwd=folder, env=home)
    return [Ended(*json.loads(line)) for line in done.stdout.splitlines()]


def model(folder: Path, **changes: Any) -> None:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**MODEL, **changes}))
    (folder / "model.safetensors").write_bytes(b"")  # its contents are nothing that is looked at here


def tokenizer(folder: Path, ids: int, eos: int) -> None:
    vocabulary = {"<eos>" if token == eos else f"t{token}": token for token in range(ids)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": vocabulary, "merges": []}}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mix of 100 ids, altered copies of it, models that fit it and that do not, outputs with checkpoints."""
    folder = tmp_path_factory.mktemp("preflight")
    write_mix(folder)
    (folder / "run.yaml").write_text(RUN)
    for damage in ("missing", "dtype", "bytes", "planned"):
        copy = folder / f"mix-{damage}"
        copy.mkdir()
        for path in (folder / "mix").iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        lock = json.loads((copy / "small.lock.json").read_text())
        if damage == "missing":
            (copy / "part-00000.npy").unlink()
        elif damage == "dtype":
            lock["dtype"] = "uint32"
        elif damage == "planned":
            training = {"batch_sequences": 8, "sequence_length": 64, "learning_rate": {"start": 0.01}}
            lock["manifest"]["training"] = training
        else:
            path = copy / "part-00000.npy"
            path.write_bytes(path.read_bytes() * 2)
            lock["outputs"][0]["bytes"] *= 2
        (copy / "small.lock.json").write_text(json.dumps(lock))
    model(folder / "model")
    model(folder / "few-rows", vocab_size=99)
    model(folder / "short", max_position_embeddings=32)
    model(folder / "dropout", attention_dropout=0.1, hidden_size=None)  # and of transformers' width
    for name, ids, eos in (("same-ids", 100, EOS), ("other-ids", 120, EOS), ("other-eos", 100, 0)):
        model(folder / name)
        tokenizer(folder / name, ids, eos)
    model(folder / "quantized", quantization_config={"bits": 4})
    model(folder / "no-weights")
    (folder / "no-weights" / "model.safetensors").rename(folder / "no-weights" / "pytorch_model.bin")
    (folder / "no-config").mkdir()
    (folder / "a-file").write_text("")
    run, mix = read_run(str(folder / "run.yaml")), open_mix(str(folder / "mix"))
    for name, seed in (("same-run", 1), ("other-run", 2)):
        state = State(
            id="1",
            step=4,
            run=dataclasses.replace(run, seed=seed).decides(),
            mix=dict(mix.identity),
            start={},
            model=MODEL,
            ran={},
        )
        place = folder_of(folder / name, 4)
        place.mkdir(parents=True)
        (place / "state.json").write_bytes(state.to_json())
        (folder / name / "origin").mkdir()
        tokenizer(folder / name / "origin", 120, EOS)
    return folder


GOOD = ["train", "./run.yaml", "-m", "mix", "-c", "model", "-o", "out"]


def changed(*options: str, **replaced: str) -> list[str]:
    """The good request with options added, or with the value of one of its own replaced: m="mix-missing"."""
    words = [*GOOD, *options]
    for option, value in replaced.items():
        words[words.index(f"-{option}") + 1] = value
    return words


REFUSED: dict[str, tuple[list[str], int, int, str]] = {
    "ids without rows": (changed(c="few-rows"), 1, 2, "the mix's ids are of tiny, 0 to 99; the model's vocabulary has 99 rows"),
    "tokenizer of other ids": (changed(c="other-ids"), 1, 2, "the checkpoint's tokenizer has 120 ids, the mix's tiny 100;"),
    "tokenizer of other end": (changed(c="other-eos"), 1, 2, "the checkpoint's tokenizer has no '<eos>' as id 99"),
    "sequence": (changed(c="short"), 1, 2, "sequence_length is 64, the model's max_position_embeddings 32; give 32 or less"),
    "batch": (
        changed("--set", "hardware.micro_batch_sequences=2"),
        4,
        2,
        "batch_sequences 12 is not divisible by 4 GPUs x micro-batches of 2 = 8; possible:"
        " hardware.micro_batch_sequences 1, batch_sequences 8, batch_sequences 16, 3 GPUs",
    ),
    "replicas": (
        changed("--set", "hardware.replicas=3"),
        4,
        2,
        "hardware.replicas is 3, which does not divide 4 GPUs; it can be 1, 2, 4",
    ),
    "no mix": (["train", "./run.yaml", "-c", "model", "-o", "out"], 1, 2, "no mix; give --mix DIR_OR_S3"),
    "mix is not there": (changed(m="nowhere"), 1, 2, "nowhere"),
    "array is not there": (changed(m="mix-missing"), 1, 1, "mix-missing/part-00000.npy: is missing"),
    "dtype": (changed(m="mix-dtype"), 1, 1, "arrays of uint32 for a tokenizer of 100 ids, which takes uint16"),
    "bytes": (changed(m="mix-bytes"), 1, 1, "mix-bytes/part-00000.npy: has "),
    "small mix": (changed("--set", "batch_sequences=5000"), 1, 2, "fewer than the 5,000 of one step"),
    "memory": (
        ["train", "./run.yaml", "-m", "mix", "-o", "out", "--set", "shape=olmo2-7b", "--gpu-memory", "80GB"],
        1,
        2,
        "GB are needed on each GPU (weights, gradients, moments 117,",
    ),
    "another run's checkpoint": (changed(o="other-run"), 1, 2, "is a checkpoint of another run: run.seed is 1, was 2"),
    "shape": (
        changed("--set", "shape=tiny"),
        1,
        2,
        "checkpoint 'model' is not of shape tiny: model_type is 'llama', not 'olmo2'",
    ),
    "no model": (["train", "./run.yaml", "-m", "mix", "-o", "out"], 1, 2, "neither checkpoint nor shape is given"),
    "no weights": (changed(c="no-weights"), 1, 2, "checkpoint 'no-weights' has none of model.safetensors"),
    "quantized": (changed(c="quantized"), 1, 2, "checkpoint 'quantized' is quantized"),
    "a run's output": (
        changed(c="same-run"),
        1,
        2,
        "checkpoint 'same-run' is a run's output; give its model, or a checkpoint in it",
    ),
    "tokenizer of a run's checkpoint": (
        changed(c="same-run/checkpoints/step-0000004"),
        1,
        2,
        "the checkpoint's tokenizer has 120 ids, the mix's tiny 100;",
    ),
    "moments at home": (changed("--set", "optimizer.moments_from=~/nowhere"), 1, 2, "/nowhere has no checkpoints"),
    "output at home": (changed(o="~/other-run"), 1, 2, "is a checkpoint of another run: run.seed is 1, was 2"),
    "no config": (changed(c="no-config"), 1, 2, "checkpoint 'no-config' holds no config.json"),
    "no checkpoint": (changed(c="./nowhere"), 1, 2, "no checkpoint at './nowhere'; give a folder that is there, or a hub id"),
    "two revisions": (changed("--set", "revision=main", c="owner/name@step5"), 1, 2, "'owner/name@step5' says a revision, and"),
    "revision of a folder": (changed("--set", "revision=main"), 1, 2, "revision 'main' is for hub ids"),
    "no output": (["train", "./run.yaml", "-m", "mix", "-c", "model"], 1, 2, "no output; give --output DIR"),
    "remote output": (changed(o="s3://bucket/out"), 1, 2, "output 's3://bucket/out' is remote; give a local or shared folder"),
    "output is a file": (changed(o="a-file"), 1, 2, "output 'a-file' is a file; give a folder"),
    "moments": (changed("--set", "optimizer.moments_from=nowhere"), 1, 2, "nowhere has no checkpoints"),
    "plan's options": (changed("--gpus", "8"), 1, 2, "--gpus 8 is for --dry-run"),
    "power": (changed("--watts", "500"), 1, 2, "--watts 500.0 is for --dry-run"),
    "gpu": (changed("--gpu", "H300", "--dry-run"), 1, 2, "--gpu 'H300': dolmino knows A100, "),
    "no run": (["train"], 1, 2, "no RUN; give a preset's name"),
    "no such preset": (["train", "olmo2-8b"], 1, 2, "no bundled run 'olmo2-8b'; did you mean 'olmo2-"),
}


@pytest.fixture(scope="module")
def refused(folder: Path) -> dict[str, Ended]:
    ended = requests(folder, [(words, world_size) for words, world_size, _, _ in REFUSED.values()])
    return dict(zip(REFUSED, ended, strict=True))


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line_before_torch(case: str, refused: dict[str, Ended], folder: Path) -> None:
    _, _, code, problem = REFUSED[case]
    ended = refused[case]
    assert ended.code == code, ended
    (line,) = ended.err.splitlines()
    assert line.startswith("dolmino: error: ") and problem in line
    assert (ended.heavy, ended.out) == ([], "")
    assert not (folder / "out").exists()


def test_a_dry_run_shows_the_plan_and_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    plans = [
        (changed("--dry-run", "--gpus", "4", "--gpu", "H200", c="same-ids"), 1),
        (changed("--dry-run", o="same-run"), 2),
        ("train llm-jp-7.7b-50b --gpus 128 --gpu H200 --watts 500 --tokens-per-second 6880 --dry-run".split(), 1),
        ([*GOOD, "--set", "steps=100", "--dry-run"], 1),
        (changed("--dry-run", m="mix-planned"), 1),
        (changed("--dry-run", c="dropout"), 1),
    ]
    ended = requests(folder, plans)
    assert [(each.code, each.err, each.heavy) for each in ended] == [(0, "", [])] * 6
    fits, resumed, published, repeated, planned, default = (
        {line[:14].strip(): line[14:] for line in each.out.splitlines()} for each in ended
    )
    windows = open_mix(str(folder / "mix")).windows(64)
    assert fits["layout"].startswith("4 GPUs: 1 replica x 4 shards; 3 micro-batches of 1 a step; fp32")
    assert fits["steps"] == f"4 of 12 x 64 = 768 tokens: 0.00B, {4 / (windows // 12):.3f} epochs"
    assert "step 1 7.5000e-04, step 2 5.0000e-04, step 4 0.0000e+00" in fits["learning rate"]
    assert fits["note"] == f"{windows - 48:,} of {windows:,} windows ({100 * (windows - 48) / windows:.1f} %) are never seen"
    assert resumed["resumes"] == "from step 4 in same-run"
    assert published["time"].startswith("17.6 h at 6,880 tokens/s a GPU, 2,253 GPU-hours; MFU on H200 39.8 % (causal 35.3 %)")
    assert "at most 1,126 kWh (500 W a GPU" in published["time"]
    assert f"100 steps are {100 / (windows // 12):.2f} epochs of {windows // 12:,} steps" in repeated["note"]
    assert (
        planned["note"]
        == "the mix was planned for another run (in parentheses): batch_sequences 12 (8), learning rate 0.001 (0.01)"
    )
    assert "tokenizer.json has as many ids as the mix's tiny, but other bytes" in ended[0].out
    assert "attention_dropout 0.1; a run of dolmino has no dropout" in ended[5].out
    assert (default["memory"], default["note"]) == (
        "not known",
        "models of type 'llama' are not counted: parameters, memory and MFU stay blank",
    )
    assert sorted(folder.rglob("*")) == before


def test_a_hub_id_is_looked_up_at_its_revision(monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path) -> None:
    from dolmino_cli.train.planning.model_config import config_of_run

    other = MODEL | {"num_hidden_layers": 77}
    configs = {"main": other, "step5": MODEL, "step6": MODEL, "empty": None}
    files = {at: {} if given is None else {"config.json": json.dumps(given).encode()} for at, given in configs.items()}
    with hub_of({"models/owner/name": files}, monkeypatch, tmp_path / "cache"):
        run = read_run(str(folder / "run.yaml"), ["checkpoint=owner/name@step5"])
        assert config_of_run(run) == MODEL
        assert config_of_run(dataclasses.replace(run, checkpoint="owner/name", revision="step6")) == MODEL
        assert config_of_run(dataclasses.replace(run, checkpoint="owner/name")) == other
        with pytest.raises(ConfigError, match=r"'owner/name@empty' has no config\.json on the hub; give another --checkpoint"):
            config_of_run(dataclasses.replace(run, checkpoint="owner/name@empty"))
        with pytest.raises(StorageError, match=r"its config\.json at revision 'step7' could not be had from the hub .*; give a"):
            config_of_run(dataclasses.replace(run, checkpoint="owner/name@step7"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert config_of_run(run) == MODEL
    with pytest.raises(StorageError, match="could not be had from the hub"):
        config_of_run(dataclasses.replace(run, checkpoint="owner/name@empty"))


def test_an_error_of_two_lines_says_what_was_wrong() -> None:
    assert first_line(ValueError("\nValidation error for field 'x':\n   TypeError: no int\n")) == (
        "Validation error for field 'x': TypeError: no int"
    )
    assert first_line(ValueError("one:")) == "one:"
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
