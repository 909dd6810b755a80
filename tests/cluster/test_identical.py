"""One recipe and one tokenizer over 200 shards of real text: the same bytes from every executor."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.clusters import ONE_CPU, ray_cluster, slurm_cluster
from tests.cluster.real_shards import cut, results
from tests.executors.shares import end, start

SHARDS = 200
RECIPE = """
name: real
stages:
  - repeated_ngrams: {{tokenizer: {tokenizer}, into: repetitions, count_from: 16}}
  - keep: {{score: repetitions, below: 32, reason: repeated_ngrams}}
  - fasttext: {{model: {model}, label: __label__hq, into: quality}}
  - keep: {{score: quality, at_least: 0.5, reason: quality}}
  - word_concentration: {{top: 1, into: top_word}}
  - keep: {{score: top_word, at_most: 0.3, reason: one_word}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shared_data: Path, quality_model: Path) -> Path:
    made = tmp_path_factory.mktemp("identical")
    cut(shared_data, made / "in", shards=SHARDS)
    assert len(list((made / "in").iterdir())) == SHARDS
    tokenizer = shared_data / "tokenizers" / "allenai_dolma2.json"
    (made / "real.yaml").write_text(RECIPE.format(tokenizer=tokenizer, model=quality_model))
    (made / "tokenizer").write_text(str(tokenizer))
    return made


def commands(folder: Path, output: Path) -> tuple[tuple[object, ...], tuple[object, ...]]:
    # Parts of 256 KiB, so that many of these small shards have several.
    options = ("--error", "quarantine", "--rejects", "--part-size", "256KiB")
    return (
        ("filter", folder / "real.yaml", folder / "in", "-o", output / "filtered", *options),
        ("retokenize", output / "filtered", "-t", (folder / "tokenizer").read_text(), "-o", output / "tokens"),
    )


def everything(output: Path) -> dict[str, str]:
    return {f"{run}/{name}": digest for run in ("filtered", "tokens") for name, digest in results(output / run).items()}


def all_end(processes: list[subprocess.Popen[str]]) -> None:
    ends = [end(process) for process in processes]
    assert [code for code, _, _ in ends] == [0] * len(ends), ends


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, str]:
    for command in commands(folder, folder / "alone"):
        all_end([start(*command)])
    found = everything(folder / "alone")
    kinds = {name.split("/")[1].partition("-")[0] for name in found}
    assert kinds == {"documents", "attributes", "rejects", "quarantine", "part"}
    assert sum(name.startswith("filtered/documents/") for name in found) == SHARDS
    return found


def test_two_workers(folder: Path, alone: dict[str, str]) -> None:
    for command in commands(folder, folder / "local"):
        all_end([start(*command, "--workers", 2)])
    assert everything(folder / "local") == alone


def test_shares_of_a_batch_system(folder: Path, alone: dict[str, str]) -> None:
    for command in commands(folder, folder / "shares"):
        all_end([start(*command, "--shard", f"{index}/3") for index in range(3)])
    assert everything(folder / "shares") == alone


@pytest.fixture
def entered() -> Iterator[Callable]:  # type: ignore[type-arg]
    with ExitStack() as stack:
        yield stack.enter_context


def test_ray_with_two_nodes(folder: Path, alone: dict[str, str], entered) -> None:  # type: ignore[no-untyped-def]
    cluster = entered(ray_cluster([ONE_CPU] * 2))
    for command in commands(folder, folder / "ray"):
        all_end([start(*command, "--executor", "ray", "--ray-address", cluster.address, "--workers", 2)])
    assert everything(folder / "ray") == alone


def test_slurm_with_two_nodes(folder: Path, alone: dict[str, str], entered, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    cluster = entered(slurm_cluster())
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    for command in commands(folder, folder / "slurm"):
        all_end([start(*command, "--executor", "slurm", "--array-size", 2, "--workers", 1)])
    assert everything(folder / "slurm") == alone
