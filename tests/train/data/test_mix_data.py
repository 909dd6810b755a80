"""What a rank trains on is what reading the mix's files token by token says, in the order that OLMo's rule gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dolmino_cli.mix.for_training import MixForTraining, open_mix
from dolmino_cli.train.data.mix_data import MixData
from dolmino_cli.train.run_file import Loss
from tests.train.data.make import LENGTH, Window, repeats_by_hand, run_of, windows_by_hand, write_mix


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mix(tmp_path_factory.mktemp("mix"))


@pytest.fixture(scope="module")
def mix(folder: Path) -> MixForTraining:
    return open_mix(str(folder))


@pytest.fixture(scope="module")
def windows(folder: Path) -> list[Window]:
    return windows_by_hand(folder, LENGTH)


def order_by_hand(windows: int, *, seed: int, epoch: int) -> list[int]:
    order = np.arange(windows, dtype=np.uint32)
    np.random.Generator(np.random.PCG64(seed + epoch)).shuffle(order)
    return order.tolist()


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
    data = MixData(mix, run=run_of(loss=Loss(document_masking=True)), rank=0, world_size=1)
    for batch in data.ahead(1, data.steps_per_epoch):
        assert batch.positions_RL is not None
        for row, window in enumerate(batch.windows_R.tolist()):
            assert tuple(mix.sources[source] for source in batch.sources_RL[row]) == windows[window].sources
            assert tuple(batch.positions_RL[row].tolist()) == windows[window].positions
    assert MixData(mix, run=run_of(), rank=0, world_size=1).step(1).positions_RL is None
