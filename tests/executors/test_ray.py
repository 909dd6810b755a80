"""A real Ray cluster of two nodes, here: the same bytes as local workers, whatever becomes of workers and nodes."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError, DataError, RunFailed
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.executors.ray import Ray
from dolmino_cli.executors.ray_cluster import check_started, connect
from dolmino_cli.executors.ray_worker import Started
from dolmino_cli.pipeline.run import Run, execute, finish, plan_run
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import Recipe, load_recipe
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.output import Output
from tests.cli.run import dolmino
from tests.cluster.clusters import ONE_CPU, ray_cluster
from tests.executors import ray_tasks
from tests.executors.processes import is_alive, wait_until
from tests.pipeline.make import read_json, tree, write_shard
from tests.stages.classifier_model import texts

ray = pytest.importorskip("ray", reason="needs the extra [ray]")

ROOT = Path(__file__).resolve().parents[2]
PHASE = Phase(name="test")
SHARDS = 8
RECIPE = """
name: small
stages:
  - length: {unit: characters, into: characters}
  - keep: {score: characters, at_least: 40, reason: short}
  - repeated_ngrams: {tokenizer: TOKENIZER, into: repetitions}
  - keep: {score: repetitions, at_most: 3, reason: repeats}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head with two CPUs and a node with one CPU and, so Ray is told, one GPU."""
    with ray_cluster([{**ONE_CPU, "num_cpus": 2}, {**ONE_CPU, "num_gpus": 1}]) as started:
        try:
            connect(started.address)
            yield started
        finally:
            ray.shutdown()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("in")
    for shard in range(SHARDS):
        written = [f"{'again ' * (n % 9)}{text}" for n, text in enumerate(texts(60 - shard, seed=shard)[0])]
        lines = [json.dumps({"id": f"{shard}/{n}", "text": text}, ensure_ascii=False).encode() for n, text in enumerate(written)]
        write_shard(folder / f"web-{shard}.jsonl.zst", lines)
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    from tests.tokenizer.make import byte_level

    folder = tmp_path_factory.mktemp("recipe")
    (folder / "small.yaml").write_text(RECIPE.replace("TOKENIZER", str(byte_level(folder / "tokenizer.json"))))
    return load_recipe(folder / "small.yaml")


@pytest.fixture(scope="module")
def undisturbed(recipe: Recipe, inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("local") / "out"
    run_all(recipe, inputs, output, Local(workers=1))
    files = outputs(output)
    assert len(files) == 2 * SHARDS and len(set(files.values())) == 2 * SHARDS
    return files


def run_all(recipe: Recipe, inputs: Path, output: Path, executor: Executor) -> Run:
    run = plan_run(recipe, list_shards([str(inputs)]), str(output), Options(), executor=executor)
    entries = [entry.name for entry in execute(run, executor)]
    assert sorted(entries) == sorted(task.shard.name for task in run.tasks), "every shard once"
    finish(run)
    return run


def outputs(folder: Path) -> dict[str, bytes]:
    """What must be the same however it was made: all but what has times in it."""
    return {name: data for name, data in tree(folder).items() if not name.startswith(("logs/", "failures/"))}


def node_of(cluster: Any, node: Any) -> str:
    (found,) = [one["NodeID"] for one in ray.nodes() if one["RayletSocketName"] == node.raylet_socket_name]
    return str(found)


def test_the_commands_give_the_bytes_of_local_workers(
    cluster: Any,
    recipe: Recipe,
    inputs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Filter, and retokenize what it kept; the paths are relative, as people write them."""
    monkeypatch.chdir(tmp_path)
    Path("in").symlink_to(inputs)
    tokenizer = recipe.measures[1].tokenizer  # type: ignore[attr-defined]
    Path("small.yaml").write_text(RECIPE.replace("TOKENIZER", tokenizer))
    digests = {}
    for name, how in {"local": ["-w", 2], "ray": ["--executor", "ray", "--ray-address", cluster.address, "-w", 2]}.items():
        said = dolmino(monkeypatch, capsys, "filter", "./small.yaml", "in", "-o", name, "--metrics", f"{name}.prom", *how)
        assert said.code == 0, said.err
        (documents,) = [
            line for line in Path(f"{name}.prom").read_text().splitlines() if line.startswith("dolmino_documents_total{")
        ]
        assert int(documents.split()[-1]) == sum(60 - shard for shard in range(SHARDS))
        arrays = ["retokenize", name, "-o", f"{name}-arrays", "--tokenizer", tokenizer, "--eos", "<|endoftext|>"]
        said = dolmino(monkeypatch, capsys, *arrays, *how)
        assert said.code == 0, said.err
        files = outputs(Path(name)) | {f"arrays/{key}": data for key, data in outputs(Path(f"{name}-arrays")).items()}
        digests[name] = {key: hashlib.sha256(data).hexdigest() for key, data in files.items() if not key.endswith("arrays.json")}
        counts = read_json(Path(f"{name}-arrays/arrays.json"))["totals"]
        assert counts["documents"] > 100  # type: ignore[index]
    assert digests["ray"] == digests["local"] and len(digests["ray"]) > 2 * SHARDS


def test_a_lost_node_and_killed_workers_change_nothing(
    cluster: Any, recipe: Recipe, inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """Two shards lose their worker when all is written but the entry; what a third node was at is lost with the node."""
    third = cluster.add_node(**ONE_CPU)
    marks = tmp_path / "marks"
    marks.mkdir()
    kills = {"web-1.jsonl.zst": 1, "web-5.jsonl.zst": 1}
    executor = ray_tasks.DisturbedRay(asked_workers=4)  # as many as there are CPUs with the third node's
    executor.disturb(folder=str(marks), kills=kills, waits_on_node=node_of(cluster, third))

    def remove() -> None:
        wait_until((marks / "waits").exists, 300)  # four workers start
        cluster.remove_node(third, allow_graceful=False)

    removing = threading.Thread(target=remove)
    removing.start()
    run = run_all(recipe, inputs, tmp_path / "out", executor)
    removing.join()
    assert sorted(path.name for path in marks.iterdir()) == ["waits", "web-1.jsonl.zst-0", "web-5.jsonl.zst-0"]
    assert outputs(tmp_path / "out") == undisturbed
    assert run.tally.documents_in == sum(60 - shard for shard in range(SHARDS))


def test_a_task_that_kills_its_workers_fails_by_name_and_the_rest_is_done(
    cluster: Any, recipe: Recipe, inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    executor = ray_tasks.DisturbedRay(asked_workers=1).disturb(folder=str(marks), kills={"web-2.jsonl.zst": 9})
    run = plan_run(recipe, list_shards([str(inputs)]), str(tmp_path / "out"), Options())
    with pytest.raises(RunFailed) as caught:
        list(execute(run, executor))
    assert str(caught.value) == "web-2.jsonl.zst: killed its worker 3 times (killed; out of memory?)"
    assert caught.value.exit_code == 1
    assert len(list(marks.iterdir())) in (3, 4), "one more where it could not be told at first which task it was"
    assert read_json(tmp_path / "out/failures/web-2.jsonl.zst.json")["reason"] == str(caught.value)
    assert sorted(run.finished) == [f"web-{number}.jsonl.zst" for number in range(SHARDS) if number != 2]
    run_all(recipe, inputs, tmp_path / "out", Local())
    assert outputs(tmp_path / "out") == undisturbed


def test_progress_counts_every_document_once(cluster: Any, tmp_path: Path) -> None:
    """What a worker had counted of a task when it died is taken back."""
    counters, executor = Counters(workers=1), Ray(asked_workers=1)
    tasks = [(number, str(tmp_path / "died")) for number in range(6)]
    results = executor.run_tasks(ray_tasks.square_and_die_once_of_three, tasks, phase=PHASE, counters=counters)
    assert sorted(result for _, result in results) == [0, 1, 4, 9, 16, 25]
    executor.end()
    assert (tmp_path / "died").exists()
    assert counters.read() == (6, 0 + 1 + 2 + 3 + 4 + 5) and counters.retries == 1


@pytest.mark.slow  # two processes import torch
def test_measures_that_want_a_gpu_are_done_where_there_is_one(
    cluster: Any, inputs: Path, edu_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "marks").mkdir()
    text = f"""
        name: edu
        stages:
          - length: {{unit: characters, into: characters}}
          - keep: {{score: characters, at_least: 40, reason: short}}
          - classifier: {{model: {edu_model}, max_tokens: 64, dtype: bfloat16, device: cpu, into: edu}}
          - keep: {{score: edu, at_least: 2, reason: edu}}
    """
    (tmp_path / "edu.yaml").write_text(text)
    recipe = load_recipe(tmp_path / "edu.yaml")
    local = run_all(recipe, inputs, tmp_path / "local", Local(workers=1))
    executor = ray_tasks.WatchedRay(asked_workers=2, gpu_workers=1).watch(tmp_path / "marks")
    run = run_all(recipe, inputs, tmp_path / "ray", executor)
    marks = [path.name for path in (tmp_path / "marks").iterdir()]
    assert marks and all(mark.endswith("-False") for mark in marks), "no CPU worker loads torch"
    assert outputs(tmp_path / "ray") == outputs(tmp_path / "local")
    assert run.tally == local.tally and run.tally.agreements["edu"].documents == 32 * SHARDS
    assert run.loaded == local.loaded and run.run_recipe == local.run_recipe
    assert 0 < run.tally.documents_kept < run.tally.documents_in


@pytest.fixture(scope="module")
def worker(cluster: Any) -> Iterator[Ray]:
    """One worker for several tests."""
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ACCESS_KEY_ID", "mine")
    patch.setenv("TMPDIR", "/not/there")
    patch.setenv("PRIVATE", "not theirs")
    executor = Ray(asked_workers=1)
    list(executor.run_tasks(ray_tasks.process, [0], phase=PHASE))
    patch.undo()
    yield executor
    executor.end()


def test_workers_know_what_the_driver_may_read(worker: Ray) -> None:
    """Of its variables, those of storage; a scratch folder that the node does not have is not taken."""
    names = ["AWS_ACCESS_KEY_ID", "TMPDIR", "PRIVATE", "OMP_NUM_THREADS"]
    assert [found for _, found in worker.run_tasks(ray_tasks.environment, [names], phase=PHASE)] == [["mine", None, None, "1"]]


def test_an_error_crosses_whole(worker: Ray) -> None:
    with pytest.raises(DataError) as caught:
        list(worker.run_tasks(ray_tasks.refuse_three, range(500), phase=PHASE))
    assert (str(caught.value), caught.value.line, type(caught.value)) == ("numbers:3: three is refused", 3, DataError)


def test_workers_are_kept_between_phases_and_end_with_the_run(worker: Ray, tmp_path: Path) -> None:
    with worker.claim(Output(str(tmp_path))):
        found = {process for _ in range(2) for _, process in worker.run_tasks(ray_tasks.process, range(2), phase=PHASE)}
        (process,) = found
    assert not list(tmp_path.rglob("*.partial")), "the mark for workers is gone"
    wait_until(lambda: not is_alive(process))


def test_workers_end_with_a_driver_that_is_killed(cluster: Any, tmp_path: Path) -> None:
    lines = [
        "from dolmino_cli.executors.ray import Ray",
        "from tests.executors.test_ray import PHASE, ray_tasks",
        f"ray = Ray(address={cluster.address!r}, asked_workers=1)",
        f"list(ray.run_tasks(ray_tasks.sleep_for_ever, [{str(tmp_path)!r}], phase=PHASE))",
    ]
    with subprocess.Popen([sys.executable, "-c", "\n".join(lines)], cwd=ROOT) as driver:
        wait_until(lambda: any(tmp_path.iterdir()))
        driver.kill()
    (worker,) = [int(path.name) for path in tmp_path.iterdir()]
    wait_until(lambda: not is_alive(worker))


def test_where_there_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(ConfigError, match=r"no Ray cluster at 127\.0\.0\.1:1 .*refused.*start one with `ray start --head`"):
        connect("127.0.0.1:1")


def test_a_cluster_that_is_there_and_asks_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise ConnectionError("Failed to connect to Ray cluster. InvalidAuthToken")

    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.init", refuse)
    with socket.create_server(("127.0.0.1", 0)) as there:
        address = f"127.0.0.1:{there.getsockname()[1]}"
        with pytest.raises(ConfigError, match=rf"cluster at {address} does not let this process in .*RAY_AUTH_MODE=token"):
            connect(address)


def test_a_node_that_does_not_fit_is_refused() -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    import dolmino_cli

    fits = Started(version=dolmino_cli.__version__, python=here, host="n7", sees_output=True)
    check_started(fits, "/shared/out")
    old = Started(version="0.0.9", python=here, host="n7", sees_output=True)
    with pytest.raises(RunFailed, match=r"Ray node n7 has dolmino 0\.0\.9, Python .* this process dolmino .*install the same"):
        check_started(old, "/shared/out")
    blind = Started(version=dolmino_cli.__version__, python=here, host="n7", sees_output=False)
    with pytest.raises(RunFailed, match=r"n7 does not see /shared/out, .*s3://bucket/prefix, or a folder of shared storage"):
        check_started(blind, "/shared/out")


def test_the_cluster_in_the_docs_is_one_that_ray_can_launch() -> None:
    import jsonschema
    import yaml

    given = yaml.safe_load((ROOT / "docs/ray/cluster.yaml").read_text())
    jsonschema.validate(given, json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text()))
    kinds = given["available_node_types"]
    assert given["head_node_type"] in kinds and kinds["gpu"]["node_config"]["IamInstanceProfile"]
    assert sum(kind.get("max_workers", 0) for kind in kinds.values()) == given["max_workers"]


def test_options_of_ray_are_refused_elsewhere(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = dolmino(monkeypatch, capsys, "filter", "dclm", inputs, "-o", tmp_path / "out", "--gpu-workers", 2)
    assert (said.code, said.error) == (2, "--gpu-workers is of Ray, and tasks run with --executor local; add --executor ray")
    assert os.listdir(tmp_path) == []  # noqa: PTH208
