"""What a rank trains on is what reading the mix's files token by token says, in the order that OLMo's rule gives."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dolmino_cli.cli.main import main
from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.for_training import MixForTraining
from dolmino_cli.mix.tracing import trainer_order
from dolmino_cli.train.data.mix_data import MixData
from dolmino_cli.train.data.step_batch import StepBatch
from dolmino_cli.train.run_file import Loss
from tests.train.data.make import LENGTH, Window, repeats_by_hand, run_of, windows_by_hand


def order_by_hand(windows: int, *, seed: int, epoch: int) -> list[int]:
    order = np.arange(windows, dtype=np.uint32)
    np.random.Generator(np.random.PCG64(seed + epoch)).shuffle(order)
    return order.tolist()


def epoch_of(data: MixData) -> list[StepBatch]:
    return list(data.ahead(1, data.steps_per_epoch))


def test_the_mix_is_worth_reading(mix: MixForTraining, windows: list[Window]) -> None:
    assert len(mix.parts) >= 4
    assert mix.windows(LENGTH) == len(windows) > 150
    assert any(len(set(window.sources)) > 1 for window in windows)
    assert sum(bool(repeats_by_hand(window.ids)) for window in windows) > 5


@pytest.mark.parametrize("world_size", [1, 2, 3, 6])
def test_ranks_deal_out_the_same_batches(mix: MixForTraining, windows: list[Window], world_size: int) -> None:
    ranks = [MixData(mix, run=run_of(steps=200), rank=rank, world_size=world_size) for rank in range(world_size)]
    per_epoch = len(windows) // 6
    assert ranks[0].steps_per_epoch == per_epoch < 100
    for step in (1, 2, per_epoch, per_epoch + 1, 2 * per_epoch + 1, 3):
        epoch, in_epoch = divmod(step - 1, per_epoch)
        expected = order_by_hand(len(windows), seed=7, epoch=epoch)[in_epoch * 6 : in_epoch * 6 + 6]
        batches = [data.step(step) for data in ranks]
        dealt = [int(batches[i % world_size].windows_R[i // world_size]) for i in range(6)]
        assert dealt == expected == ranks[-1].windows_of_step(step).tolist()
        for batch in batches:
            for row, window in enumerate(batch.windows_R.tolist()):
                assert tuple(batch.ids_RL[row].tolist()) == windows[window].ids


def test_every_token_has_its_source_and_position(mix: MixForTraining, windows: list[Window]) -> None:
    for batch in epoch_of(MixData(mix, run=run_of(loss=Loss(document_masking=True)), rank=0, world_size=1)):
        assert batch.positions_RL is not None
        for row, window in enumerate(batch.windows_R.tolist()):
            assert tuple(mix.sources[source] for source in batch.sources_RL[row]) == windows[window].sources
            assert tuple(batch.positions_RL[row].tolist()) == windows[window].positions
    assert MixData(mix, run=run_of(), rank=0, world_size=1).step(1).positions_RL is None


# 64 is the length that the mix's bits are for; windows of others are looked through when they are read.
@pytest.mark.parametrize("length", [LENGTH, 100, 150])
def test_targets_that_repeat_themselves_are_masked_in_the_scope_asked_for(
    mix: MixForTraining, mix_folder: Path, length: int
) -> None:
    windows = windows_by_hand(mix_folder, length)
    seen = {"instance": 0, "span": 0, "keep": 0}
    for scope in seen:
        run = run_of(loss=Loss(repeated_windows=scope), sequence_length=length)  # type: ignore[arg-type]
        for batch in epoch_of(MixData(mix, run=run, rank=0, world_size=1)):
            for row, window in enumerate(batch.windows_R.tolist()):
                repeating = repeats_by_hand(windows[window].ids)
                masked = {"instance": set(range(length)) if repeating else set(), "span": repeating, "keep": set()}[scope]
                assert set(np.flatnonzero(~batch.counts_RL[row]).tolist()) == masked | {0}
                seen[scope] += len(masked)
    assert seen["instance"] > seen["span"] > 0 == seen["keep"]


def test_a_step_is_the_same_however_it_is_reached(mix: MixForTraining) -> None:
    run = run_of(steps=100)
    straight = list(MixData(mix, run=run, rank=1, world_size=2).ahead(1, 60, depth=3))
    data = MixData(mix, run=run, rank=1, world_size=2)
    for step in (60, 1, 31, 17):  # a step of the second epoch, then the first again
        found, expected = data.step(step), straight[step - 1]
        assert found.step == expected.step == step
        for name in ("windows_R", "ids_RL", "counts_RL", "sources_RL"):
            assert np.array_equal(getattr(found, name), getattr(expected, name)), name


def test_an_epoch_is_shuffled_once_though_the_reader_is_ahead_of_it(mix: MixForTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    shuffled: list[int] = []
    order = trainer_order.window_order
    monkeypatch.setattr(
        trainer_order,
        "window_order",
        lambda windows, *, seed, epoch: shuffled.append(epoch) or order(windows, seed=seed, epoch=epoch),
    )
    data = MixData(mix, run=run_of(steps=200, seed=1234), rank=0, world_size=1)
    for step in range(data.steps_per_epoch - 3, data.steps_per_epoch + 1):
        data.step(step + 4)
        data.windows_of_step(step)
    assert sorted(shuffled) == [0, 1]


def test_trace_says_the_same(mix: MixForTraining, mix_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = 5
    data = MixData(mix, run=run_of(), rank=1, world_size=3)
    asked = ["trace", mix_folder, "--step", step, "--seed", 7, "--batch", 6, "--world-size", 3, "--rank", 1, "--json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["dolmino", *map(str, asked)])
        assert main() == 0
    answer = json.loads(capsys.readouterr().out)
    batch = data.step(step)
    assert answer["windows"] == batch.windows_R.tolist() == data.windows_of_step(step)[1::3].tolist()
    tokens = np.bincount(batch.sources_RL.ravel(), minlength=len(mix.sources)).tolist()
    assert [share["tokens"] for share in answer["sources"]] == tokens


def test_an_id_that_the_model_or_the_tokenizer_does_not_have_is_named(mix: MixForTraining, windows: list[Window]) -> None:
    data = MixData(mix, run=run_of(), rank=0, world_size=1, vocabulary_size=99)  # eos is 99
    with pytest.raises(DataError, match=r"part-0000\d\.npy: token [\d,]+ is id 99; the model's ids are 0 to 98; train a model"):
        epoch_of(data)
    window = int(data.windows_of_step(1)[0])
    part = np.searchsorted(np.cumsum([part.windows for part in mix.parts]), window, side="right")
    start = (window - sum(part.windows for part in mix.parts[:part])) * LENGTH
    expected = start + next(at for at, id in enumerate(windows[window].ids) if id == 99)
    with pytest.raises(DataError) as caught:
        data.step(1)
    assert caught.value.path == mix.path(int(part)) and f"token {expected:,} is" in str(caught.value)
    epoch_of(MixData(mix, run=run_of(), rank=0, world_size=1, vocabulary_size=128))  # rows that no id has do no harm


@pytest.mark.parametrize(
    ("changes", "world_size", "message"),
    [
        ({"batch_sequences": 7}, 2, "7 windows cannot be dealt out evenly to 2 ranks"),
        ({"batch_sequences": 5000}, 1, "5,000 windows is more than the mix has"),
        ({"sequence_length": 1 << 20}, 1, "more than the mix has"),
    ],
)
def test_runs_that_do_not_fit_the_mix_are_refused(
    mix: MixForTraining, changes: dict[str, int], world_size: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        MixData(mix, run=run_of(**changes), rank=0, world_size=world_size)
