"""What a run writes, and how it ends where something is wrong."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from dolmino_cli.cli.run_checkpoint import run_export, run_list
from dolmino_cli.errors import ConfigError, DataError, RunFailed, StorageError
from dolmino_cli.train.planning.preflight import preflight
from dolmino_cli.train.prepare import prepare
from dolmino_cli.train.ranks import joined_ranks
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving import output as saving_output
from dolmino_cli.train.saving.checkpoints import checkpoints_of
from dolmino_cli.train.saving.tensors import trained_weights
from dolmino_cli.train.step import Stepper
from dolmino_cli.train.train import Trained, train
from dolmino_cli.train.watch.readings import Reading
from tests.train.data.make import repeats_by_hand, windows_by_hand
from tests.train.tiny import step_lines, tiny_run

STEPS = 9
Finished = tuple[Run, Trained, list[Reading]]


@pytest.fixture(scope="module")
def finished(tiny_mix: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run of nine steps, read every fourth and saved every fifth."""
    output = tmp_path_factory.mktemp("finished") / "out"
    run = run_to(output, tiny_mix, tiny_checkpoint, saving={"every_steps": 5, "export": True, "export_dtype": "fp32"})
    read: list[Reading] = []
    return run, train(run, say=lambda text: None, progress=read.append), read


def run_to(output: Path, mix: Path, checkpoint: Path, **changes: Any) -> Run:
    parts = {"hardware": {"micro_batch_sequences": 8, "precision": "fp32", "compile": False}, "watch": {"every_steps": 4}}
    return tiny_run(mix, checkpoint, output, **{"steps": STEPS, **parts, **changes})


def test_readings_say_what_the_steps_did(finished: Finished, tiny_mix: Path) -> None:
    """Losses and masked shares by source are sums over the very windows of the steps, added up by hand."""
    run, trained, read = finished
    assert (trained.steps_done, trained.complete, trained.stopped_by) == (STEPS, True, None)
    assert [reading.step for reading in read] == [4, 5, 8, 9]
    lines = step_lines(Path(str(run.output)))
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert [line["tokens"] for line in lines] == [step * 8 * 64 for step in range(1, STEPS + 1)]
    on_disk = (Path(str(run.output)) / "metrics" / "readings.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in on_disk] == [json.loads(json.dumps(dataclasses.asdict(reading))) for reading in read]

    with joined_ranks(timeout_seconds=60) as ranks:
        data = prepare(run, ranks, say=lambda text: None).data
    windows = windows_by_hand(tiny_mix, run.sequence_length)
    first = read[0]
    sources: dict[str, list[int]] = {name: [0, 0] for name in data.sources}
    for step in range(1, 5):
        for window in data.windows_of_step(step):
            masked = bool(repeats_by_hand(windows[window].ids))
            for source in windows[window].sources[1:]:
                sources[source][0] += 1
                sources[source][1] += masked
    assert first.tokens_by_source == {name: targets for name, (targets, _) in sources.items()}
    assert first.masked_percent_by_source == pytest.approx({name: 100 * of / targets for name, (targets, of) in sources.items()})
    counted = {name: targets - masked for name, (targets, masked) in sources.items()}
    by_source = sum((first.loss_by_source[name] or 0) * number for name, number in counted.items())
    assert by_source / sum(counted.values()) == pytest.approx(first.loss)
    assert first.gradient_norm_max == max(line["gradient_norm"] for line in lines[:4])
    assert first.mfu_full is None
    assert first.memory_peak_gib is None


def test_exported_checkpoints_are_the_runs_weights(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last checkpoint exports to what the run itself exported; an earlier one is other weights."""
    run, trained, _ = finished
    output = Path(str(run.output))
    assert [checkpoint.step for checkpoint in checkpoints_of(output)] == [5, 9]
    run_list(output)
    assert "4,608" in capsys.readouterr().out
    run_export(output, tmp_path / "last", step=None, dtype="fp32", dry_run=True)
    assert not (tmp_path / "last").exists()
    run_export(output, tmp_path / "last", step=None, dtype="fp32", dry_run=False)
    run_export(output, tmp_path / "fifth", step=5, dtype="fp32", dry_run=False)
    assert trained.model == output / "model"
    assert (tmp_path / "last" / "model.safetensors").read_bytes() == (output / "model" / "model.safetensors").read_bytes()
    assert (tmp_path / "fifth" / "model.safetensors").read_bytes() != (output / "model" / "model.safetensors").read_bytes()
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "fifth")
    assert model.generate(torch.tensor([[1, 2, 3]]), max_new_tokens=2, do_sample=False, eos_token_id=None).shape == (1, 5)
    with pytest.raises(ConfigError, match=r"no checkpoint of step 7; it has 5, 9"):
        run_export(output, tmp_path / "seventh", step=7, dtype="fp32", dry_run=False)
    with pytest.raises(ConfigError, match="exists already"):
        run_export(output, tmp_path / "last", step=None, dtype="bf16", dry_run=False)


def test_the_same_call_again_changes_nothing(finished: Finished) -> None:
    run, trained, _ = finished
    before = step_lines(Path(str(run.output)))
    assert train(run, say=lambda text: None) == trained
    assert step_lines(Path(str(run.output))) == before


def test_checkpoints_of_another_run_are_refused(finished: Finished, tmp_path: Path) -> None:
    run, _, _ = finished
    other = dataclasses.replace(run, seed=8, learning_rate=dataclasses.replace(run.learning_rate, start=1e-3))
    with pytest.raises(
        ConfigError, match=r"another run: run\.learning_rate\.start is 0\.001, was 0\.003; run\.seed is 8, was 7\. Give"
    ):
        train(other, say=lambda text: None)
    model = AutoModelForCausalLM.from_pretrained(str(run.checkpoint))
    with torch.no_grad():
        model.model.norm.weight[0] += 1
    model.save_pretrained(tmp_path / "moved")
    with pytest.raises(ConfigError, match=r"another run: start\.sha256\.model\.safetensors is '.*', was '.*'\. Give"):
        train(dataclasses.replace(run, checkpoint=str(tmp_path / "moved")), say=lambda text: None)
    shutil.copytree(str(run.checkpoint), tmp_path / "reconfigured")
    config = tmp_path / "reconfigured" / "config.json"
    config.write_text(config.read_text().replace('"rms_norm_eps": 1e-05', '"rms_norm_eps": 0.01'))
    with pytest.raises(ConfigError, match=r"another run: start\.sha256\.config\.json is '.*', was '.*'\. Give"):
        train(dataclasses.replace(run, checkpoint=str(config.parent)), say=lambda text: None)


def test_one_run_at_a_time_writes_to_an_output(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _, _ = finished
    monkeypatch.setattr(saving_output, "_PATIENCE_SECONDS", 0)
    said: list[str] = []
    with (
        joined_ranks(timeout_seconds=60) as ranks,
        saving_output.claimed(Path(str(run.output)), ranks, say=print),
        pytest.raises(RunFailed, match=r"another run writes to .*; wait until it has ended, or give another --output"),
    ):
        train(run, say=said.append)
    assert said == [f"waiting for another run that writes to {run.output}"]


def test_a_process_without_others_to_join_is_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with (
        pytest.raises(ConfigError, match=r"rank 0 cannot join the others: .*MASTER_ADDR expected.* Start all with torchrun, or"),
        joined_ranks(timeout_seconds=60),
    ):
        pass


def test_a_finished_run_without_checkpoints_is_not_trained_over(finished: Finished, tmp_path: Path) -> None:
    run, _, _ = finished
    shutil.copytree(Path(str(run.output)) / "model", tmp_path / "model")
    with pytest.raises(ConfigError, match="holds model, which a run wrote at its end, and no checkpoints; give another --output"):
        train(dataclasses.replace(run, output=str(tmp_path)), say=lambda text: None)


def test_a_loss_that_is_not_finite_ends_the_run(
    tiny_mix: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step 6's gradient is NaN: its update is left out, and the run ends when step 8 is read, before anything is saved."""
    run = run_to(tmp_path, tiny_mix, tiny_checkpoint, saving={"every_steps": 5})
    gradients = Stepper._gradients
    weights: dict[int, torch.Tensor] = {}

    def spoiled(self: Stepper, batch: Any, scale: Any) -> Any:
        weight = next(iter(self.optimizer.weights.values()))
        weights[batch.step] = weight.detach().full_tensor().clone()  # type: ignore[attr-defined]
        sums = gradients(self, batch, scale)
        if batch.step == 6:
            weight.grad.to_local()[0] = float("nan")  # type: ignore[union-attr]
        return sums

    monkeypatch.setattr(Stepper, "_gradients", spoiled)
    with pytest.raises(RunFailed) as failed:
        train(run, say=lambda text: None)
    message = str(failed.value)
    assert message.startswith("step 6: loss ")
    assert "gradient norm nan" in message
    assert f"What is in them: dolmino trace {tiny_mix} --sequence-length 64 --step 6 --seed 7 --batch 8; in one" in message
    with joined_ranks(timeout_seconds=60) as ranks:
        windows = prepare(dataclasses.replace(run, output=str(tmp_path / "other")), ranks, say=print).data.windows_of_step(6)
    assert f"windows {', '.join(map(str, windows))}. What" in message
    assert message.endswith(f"dolmino trace {tiny_mix} --sequence-length 64 --window {windows[0]}")
    assert torch.equal(weights[6], weights[7])
    assert not torch.equal(weights[7], weights[8])
    assert [checkpoint.step for checkpoint in checkpoints_of(tmp_path)] == [5]
    lines = step_lines(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, 9))
    assert [line["left_out"] for line in lines] == [False] * 5 + [True] + [False] * 2
    assert lines[5]["gradient_norm"] is None


def test_a_checkpoint_that_cannot_be_written_or_read_is_named(tiny_mix: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    run = run_to(tmp_path, tiny_mix, tiny_checkpoint, saving={"every_steps": 4})
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(StorageError, match=r"step-0000004\.partial cannot be written: .*Not a directory.*make room"):
        train(run, say=lambda text: None)
    (tmp_path / "checkpoints").unlink()
    train(run, say=lambda text: None)
    (file,) = (tmp_path / "checkpoints" / "step-0000009").glob("*.distcp")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"step-0000009: cannot be read: .*; remove it to go on from the one before"):
        train(run, say=lambda text: None)
    (tmp_path / "checkpoints" / "step-0000009" / ".metadata").write_bytes(b"?")
    with pytest.raises(DataError, match=r"step-0000009: is not a checkpoint that can be read: .*; remove it"):
        train(run, say=lambda text: None)


def test_processes_that_would_share_a_gpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(ConfigError, match="all processes of a machine would share one GPU"), joined_ranks(timeout_seconds=60):
        pass


def test_warm_in_moves_moments_and_no_weight(tiny_mix: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """After three batches at rate 0 the moments are those of three gradients at the start's weights."""
    run = run_to(tmp_path, tiny_mix, tiny_checkpoint, optimizer={"warm_in_steps": 3})
    cold = dataclasses.replace(run, optimizer=dataclasses.replace(run.optimizer, warm_in_steps=0), output=str(tmp_path / "cold"))
    with joined_ranks(timeout_seconds=60) as ranks:
        warm, plain = (prepare(each, ranks, say=lambda text: None) for each in (run, cold))
        for name, weight in trained_weights(warm.model).items():
            assert torch.equal(weight.full_tensor(), trained_weights(plain.model)[name].full_tensor()), name  # type: ignore[attr-defined]
        assert (float(warm.optimizer.updates), float(plain.optimizer.updates)) == (3, 0)
        expected: dict[str, torch.Tensor] = {}
        for step in (1, 2, 3):
            plain.stepper._gradients(plain.data.step(step), torch.tensor(1 / (8 * 63)))
            plain.optimizer.cut_gradients()
            for name, weight in plain.optimizer.weights.items():
                gradient = weight.grad.full_tensor()  # type: ignore[union-attr]
                expected[name] = 0.9 * expected.get(name, torch.zeros_like(gradient)) + 0.1 * gradient
            plain.optimizer.torch.zero_grad()
        means = warm.optimizer.moments()["exp_avg"]
        for name, mean in expected.items():
            torch.testing.assert_close(means[name].full_tensor(), mean, rtol=1e-4, atol=1e-7)


def test_a_run_starts_from_anothers_checkpoint(finished: Finished, tiny_mix: Path, tmp_path: Path) -> None:
    """Weights of a checkpoint of ours, and its moments where they are asked for; a second start from others is another run."""
    first, _, _ = finished
    folder = checkpoints_of(Path(str(first.output)))[0].folder
    moments = shutil.copytree(folder, tmp_path / folder.name)
    run = run_to(tmp_path / "out", tiny_mix, folder, optimizer={"moments_from": str(moments)}, saving={"export": True}, steps=2)
    with joined_ranks(timeout_seconds=60) as ranks:
        prepared = prepare(run, ranks, say=lambda text: None)
        fresh = dataclasses.replace(run, optimizer=dataclasses.replace(run.optimizer, moments_from=None))
        without = prepare(dataclasses.replace(fresh, output=str(tmp_path / "fresh")), ranks, say=lambda text: None)
    assert (float(prepared.optimizer.updates), float(without.optimizer.updates)) == (5, 0)
    said: list[str] = []
    train(run, say=said.append)
    assert said[-1].startswith(f"model written to {tmp_path / 'out' / 'model'}; without a tokenizer: ")
    exported = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model")
    assert type(exported).__name__ == "Olmo2ForCausalLM"
    # A run that goes on needs them no more.
    shutil.rmtree(moments)
    assert preflight(run, gpus=1).resumes is not None
    train(run, say=lambda text: None)
