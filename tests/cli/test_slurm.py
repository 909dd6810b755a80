"""`--executor slurm` on a real Slurm of two nodes: the bytes of one process, also where elements are requeued and killed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dolmino_cli.cli import run_slurm
from dolmino_cli.executors import slurm
from dolmino_cli.executors.slurm import ArrayJob, Element
from dolmino_cli.shards.output import Output
from tests.cli.run import dolmino
from tests.cluster.clusters import slurm_cluster
from tests.executors.processes import wait_until
from tests.executors.shares import end, start, unfinished
from tests.executors.slurm_cluster import SlurmCluster
from tests.pipeline.make import RECIPE, line, read_json, tree, write_shard
from tests.tokenizer.make import byte_level

SHARDS = 40


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    with slurm_cluster() as made:
        yield made


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slurm")
    drawn = random.Random(3)
    for shard in range(SHARDS):
        lines = [line(number, drawn.randrange(1, 9), drawn.randrange(4)) for number in range(200)]
        write_shard(folder / f"in/{shard:02d}.jsonl.zst", lines)
    (folder / "small.yaml").write_text(RECIPE)
    return folder


def command(inputs: Path, output: object) -> tuple[object, ...]:
    return ("filter", inputs / "small.yaml", inputs / "in", "-o", output)


@pytest.fixture(scope="module")
def alone(inputs: Path) -> dict[str, str]:
    code, _, err = end(start(*command(inputs, inputs / "alone")))
    assert code == 0, err
    return digests(inputs / "alone")


def digests(folder: Path) -> dict[str, str]:
    """Of what was made; not of Slurm's script and logs."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in tree(folder).items() if not name.startswith("jobs/")}


SLURM = ("--executor", "slurm", "--array-size", 3, "--workers", 1)


def job_number(process: subprocess.Popen[str]) -> str:
    """Of the job that a process says that it submitted."""
    assert process.stderr is not None
    for said in iter(process.stderr.readline, ""):
        found = re.match(r"Slurm job (\d+): 3 x 1 CPUs", said)
        if found:
            return found.group(1)
    raise AssertionError("no job was submitted")


def said_number(said: str) -> str:
    """As `job_number`, of all that was said."""
    found = re.search(r"Slurm job (\d+)", said)
    assert found is not None, said
    return found.group(1)


def test_filter_and_retokenize_as_arrays_give_the_bytes_of_one_process(
    tmp_path: Path, inputs: Path, alone: dict[str, str], cluster: SlurmCluster
) -> None:
    code, out, err = end(start(*command(inputs, tmp_path / "out"), *SLURM, **cluster.environment))
    assert code == 0, err
    assert digests(tmp_path / "out") == alone
    assert f"{SHARDS} shards are done already" in err
    assert f"written to {tmp_path / 'out'}" in out  # the waterfall, as of the plain command
    number = said_number(err)
    assert {path.name for path in (tmp_path / "out/jobs").iterdir()} <= {
        "001.sbatch",
        *(f"{number}_{element}.log" for element in range(3)),
    }
    code, out, err = end(start("jobs", "status", tmp_path / "out"))
    assert (code, out) == (0, f"{tmp_path / 'out'}: done, {SHARDS} tasks recorded\n")

    tokens = ("retokenize", inputs / "alone", "-t", byte_level(tmp_path / "tokenizer.json"), "--tokens-per-file", 500)
    for output, how in (("one", ()), ("array", SLURM)):
        code, out, err = end(start(*tokens, "-o", tmp_path / output, *how, **cluster.environment))
        assert code == 0, err
    assert digests(tmp_path / "array") == digests(tmp_path / "one")
    assert len(read_json(tmp_path / "array/arrays.json")["files"]) > 3  # type: ignore[arg-type]


def test_a_requeued_and_a_killed_element_change_nothing(
    tmp_path: Path, inputs: Path, alone: dict[str, str], cluster: SlurmCluster
) -> None:
    with unfinished(tmp_path / "out", "filter/00.jsonl.zst"):
        process = start(*command(inputs, tmp_path / "out"), *SLURM, **cluster.environment)
        number = job_number(process)
        wait_until(lambda: f"{number}_1 RUNNING" in cluster.client("squeue", "-h", "-r", "-o", "%i %T"))
        cluster.client("scontrol", "requeue", f"{number}_1")
        wait_until(lambda: any((tmp_path / "out/ledger").glob("*")))
        cluster.client("scancel", "--signal=KILL", "--full", f"{number}_0")
    code, out, err = end(process)
    assert code == 0, err
    assert digests(tmp_path / "out") == alone
    assert "written to" in out
    assert not (tmp_path / "out/leases").exists()


def test_all_elements_killed_are_submitted_once_more(
    tmp_path: Path, inputs: Path, alone: dict[str, str], cluster: SlurmCluster
) -> None:
    with unfinished(tmp_path / "out", "filter/00.jsonl.zst"):
        process = start(*command(inputs, tmp_path / "out"), *SLURM, **cluster.environment)
        number = job_number(process)
        wait_until(lambda: any((tmp_path / "out/ledger").glob("*")))
        cluster.client("scancel", number)
        wait_until(lambda: number not in cluster.client("squeue", "-h", "-o", "%F").split())  # it is told, and ends, later
    code, _, err = end(process)
    assert code == 0, err
    assert "submitted once more" in err
    assert digests(tmp_path / "out") == alone


def test_failures_and_refusals_of_elements_are_said(tmp_path: Path, inputs: Path, cluster: SlurmCluster) -> None:
    shutil.copytree(inputs / "in", tmp_path / "in")
    (tmp_path / "in/bad.jsonl").write_bytes(b'{"id": "x", "text": }\n')
    run = ("filter", inputs / "small.yaml", tmp_path / "in", "-o", tmp_path / "out", *SLURM)
    code, _, err = end(start(*run, **cluster.environment))
    assert code == 1
    assert "dolmino: error: 1 tasks failed; the others are done and skipped on a rerun:" in err
    assert "bad.jsonl:1: invalid JSON" in err
    assert err.count("x 1 CPUs") == 1  # not tried again
    code, _, err = end(start(*run, "--set", "nothing.at_least=1", **cluster.environment))
    assert code == 1
    assert "and the run is not done; they said:" in err


def test_detach_leaves_and_says_how_to_go_on(tmp_path: Path, inputs: Path, cluster: SlurmCluster) -> None:
    code, out, err = end(start(*command(inputs, tmp_path / "out"), *SLURM, "--detach", **cluster.environment))
    assert (code, out) == (0, "")
    number = said_number(err)
    assert f"watch it with: dolmino jobs status {tmp_path / 'out'}; stop it with: scancel {number}" in err
    cluster.client("scancel", number)


def test_the_script_can_be_read_before(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (*command(inputs, tmp_path / "out dir"), "--executor=slurm", "--array-size", 100, "-w8", "--time", "24:00:00")
    asked = ("--slurm-option", "--partition=cpu", "--slurm-option=--account=me", "--memory-per-worker", "3GiB", "--rejects")
    outcome = dolmino(monkeypatch, capsys, *given, *asked, "--dry-run")
    assert outcome.code == 0, outcome.err
    script = outcome.out[outcome.out.index("#!/bin/bash") :]
    lines = script.splitlines()
    for option in (
        "--array=0-99",
        "--cpus-per-task=8",
        "--mem=24576M",
        "--time=24:00:00",
        "--requeue",
        "--partition=cpu",
        "--account=me",
        f'--output="{tmp_path}/out dir/jobs/%A_%a.log"',
    ):
        assert f"#SBATCH {option}" in lines
    assert lines[-2].endswith(
        f" filter {inputs}/small.yaml {inputs}/in -o '{tmp_path}/out dir' --memory-per-worker 3GiB --rejects"
        " --shard $SLURM_ARRAY_TASK_ID/100 --workers 8"
    )
    assert not (tmp_path / "out dir").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--executor", "slurm"), "--executor slurm needs --array-size N"),
        (("--executor", "slurm", "--array-size", 2, "--shard", "0/2"), "--executor slurm gives shares itself"),
        (("--executor", "slurm", "--array-size", 2, "--slurm-option", "cpu"), "give an option of sbatch"),
        (("--executor", "slurm", "--array-size", 2, "--gpu-workers", 2), "--gpu-workers is of Ray"),
        (("--array-size", 2), "--array-size is of Slurm, and tasks run with --executor local; add --executor slurm"),
        (("--time", "1:00"), "--time is of Slurm"),
        (("--executor", "slurm", "--array-size", 2), "there is no sbatch on this machine"),
    ],
)
def test_wrong_requests(
    tmp_path: Path,
    inputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: tuple[object, ...],
    message: str,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = dolmino(monkeypatch, capsys, *command(inputs, tmp_path / "out"), *given)
    assert outcome.code == 2
    assert message in outcome.error
    assert not (tmp_path / "out/ledger").exists()


def test_the_environment_is_no_part_of_the_script(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-that-must-not-be-there")
    outcome = dolmino(monkeypatch, capsys, *command(inputs, tmp_path / "out"), *SLURM, "--dry-run")
    assert "#SBATCH --export=ALL" in outcome.out
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in outcome.out + outcome.err
    assert json.dumps("AWS_") not in outcome.out


def test_elements_are_taken_back_when_this_run_is_done_and_not_since_an_earlier_one_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are more inputs now; until an element begins, run.json is the earlier run's, and whole."""
    output = Output(str(tmp_path))
    job = ArrayJob(name="x", command=["true"], elements=4, workers=1, working_folder=tmp_path, job_folder=tmp_path / "jobs")
    output.put("run.json", b'{"complete": true}')
    output.put("ledger/earlier.json", b"{}")
    taken_back_at: list[int] = []

    def looks() -> Iterator[list[Element]]:
        yield [Element(id="17_[0-3]", state="PENDING", reason="Resources")]
        output.put("ledger/new.json", b"{}")
        yield [Element(id="17_[1-3]", state="PENDING", reason="Resources")]
        yield []

    squeue = looks()
    monkeypatch.setattr(slurm, "submit", lambda _script: "17")
    monkeypatch.setattr(slurm, "elements", lambda _number: next(squeue))
    monkeypatch.setattr(slurm, "cancel_waiting", lambda _number: taken_back_at.append(len([*(tmp_path / "ledger").iterdir()])))
    monkeypatch.setattr(run_slurm, "_FIRST_PAUSE_SECONDS", 0.0)
    assert run_slurm.run_array(job, output=output.root, detach=False)
    assert taken_back_at == [2]
