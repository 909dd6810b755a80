"""`dolmino microanneal run`: what is run for each plan, what a failure costs, and what is not done twice."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
from pathlib import Path

import pytest

from dolmino_cli.train.checkpoint_files import read_json_if_there
from dolmino_cli.train.microanneals import sweep as sweep_module
from dolmino_cli.train.read_run import read_run
from tests.cli.run import Outcome, dolmino
from tests.executors.processes import sigterm_ends
from tests.mix.make import write_uniform_arrays

# Called as a launcher: python trainer.py -m dolmino_cli.cli.main train RUN.yaml. Leaves what a run leaves, and a line in a log.
TRAINER = """
import json, shutil, sys
from pathlib import Path
from dolmino_cli.train.read_run import read_run
run = read_run(sys.argv[-1])
here = Path(__file__).parent
with (here / "trained").open("a") as log:
    log.write(run.name + "\\n")
if (here / ("fail-" + run.name)).exists():
    sys.exit("no memory left")
output = Path(run.output)
shutil.copytree(run.checkpoint, output / "model", dirs_exist_ok=True)
(output / "metrics").mkdir(exist_ok=True)
by_source = {"dclm": 2.5, "mine": 1.5}
lines = [{"step": step, "loss": 9.0 / step, "loss_by_source": by_source} for step in (1, 2)]
(output / "metrics" / "readings.jsonl").write_text("".join(json.dumps(line) + "\\n" for line in lines))
(output / "done.json").write_text("{}")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_uniform_arrays(tmp_path / "tokens" / "dclm", documents=100, length=50, prefix="w")
    write_uniform_arrays(tmp_path / "tokens" / "mine", documents=20, length=50, prefix="m")
    (tmp_path / "trainer.py").write_text(TRAINER)
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} '
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    (tmp_path / "start" / "config.json").write_text("{}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return tmp_path


@pytest.fixture
def sweep(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    for copies in (1, 2):
        plan = ("--source", f"mine={copies}", "--web", "dclm", "--ratio", 50, "--batch-sequences", 4, "--sequence-length", 16)
        arguments = ("microanneal", "plan", *plan, "--arrays", place / "tokens", "-o", place / f"mine-{copies}x.yaml")
        assert dolmino(monkeypatch, capsys, *arguments).code == 0
    fixed = ("--arrays", place / "tokens", "-c", place / "start", "-o", place / "sweep")
    launch = ("--launch", f"{sys.executable} {place / 'trainer.py'}")

    def call(*arguments: object) -> Outcome:
        plans = (place / "mine-1x.yaml", place / "mine-2x.yaml")
        return dolmino(monkeypatch, capsys, "microanneal", "run", *plans, *fixed, *launch, *arguments)

    return call


def trained(place: Path) -> list[str]:
    return (place / "trained").read_text().split() if (place / "trained").exists() else []


SCORE = f'{sys.executable} -S -c "import sys; print(len(sys.argv[1]) * 0 + 0.25)" {{checkpoint}}'


def test_each_plan_is_sampled_trained_scored_and_done_once(sweep, place: Path) -> None:  # type: ignore[no-untyped-def]
    done = sweep("--eval", SCORE)
    assert done.code == 0, done.err
    assert trained(place) == ["mine-1x", "mine-2x"]
    results = json.loads((place / "sweep" / "results.json").read_text())
    twice = results["mine-2x"]
    assert twice == {
        "name": "mine-2x",
        "tokens": 4000,
        "web": "dclm",
        "judged_percent": 50.0,
        "passes": {"mine": 2.0},
        "steps": 2,
        "loss": 4.5,
        "loss_by_source": {"dclm": 2.5, "mine": 1.5},
        "scores": {"metric": 0.25},
    }
    run = read_run(str(place / "sweep" / "mine-2x" / "run.yaml"))
    assert (run.batch_sequences, run.sequence_length, run.steps, run.seed) == (4, 16, None, 7201)
    assert (run.learning_rate.start, run.learning_rate.end) == (6.1499e-5, 0.0)
    assert run.checkpoint == str(place / "start")
    again = sweep("--eval", SCORE)
    assert again.code == 0
    assert trained(place) == ["mine-1x", "mine-2x"]
    assert json.loads((place / "sweep" / "results.json").read_text()) == results
    assert sweep("--eval", SCORE.replace("0.25", "0.5")).code == 0  # another score, no other training
    assert json.loads((place / "sweep" / "results.json").read_text())["mine-1x"]["scores"] == {"metric": 0.5}
    assert trained(place) == ["mine-1x", "mine-2x"]
    other = sweep("--seed", 3)
    assert other.code == 2
    assert "run.yaml is of another run: seed is 7201 there and 3 now" in other.error


def test_a_failure_costs_no_other_and_is_tried_again(sweep, place: Path) -> None:  # type: ignore[no-untyped-def]
    (place / "fail-mine-1x").touch()
    done = sweep()
    assert done.code == 1
    assert "1 of 2 microanneals failed, run the same command to go on: mine-1x: train" in done.error
    assert "ended with 1: no memory left" in done.error
    results = json.loads((place / "sweep" / "results.json").read_text())
    assert results["mine-2x"]["loss"] == 4.5
    assert "no memory left" in results["mine-1x"]["failed"]
    (place / "fail-mine-1x").unlink()
    assert sweep().code == 0
    assert trained(place) == ["mine-1x", "mine-2x", "mine-1x"]
    assert "failed" not in json.loads((place / "sweep" / "results.json").read_text())["mine-1x"]


def test_two_sweeps_into_one_folder_lose_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_while_the_other_writes(path: Path) -> object:
        monkeypatch.undo()
        found = read_json_if_there(path)
        other.start()
        other.join(0.3)  # it waits for its turn
        return found

    other = threading.Thread(target=sweep_module._write, args=(tmp_path, {}, {"b": "no memory left"}))
    monkeypatch.setattr(sweep_module, "read_json_if_there", read_while_the_other_writes)
    sweep_module._write(tmp_path, {}, {"a": "no memory left"})
    other.join(60)
    assert set(json.loads((tmp_path / "results.json").read_text())) == {"a", "b"}


def test_dry_run_shows_costs_and_commands_and_writes_nothing(sweep, place: Path) -> None:  # type: ignore[no-untyped-def]
    done = sweep("--dry-run", "--eval-task", "gsm8k-star", "--run", "olmo2-7b-as-run", "--set", "loss.z_loss=0")
    assert done.code == 0, done.err
    shown = [shlex.split(line)[1:] for line in done.out.splitlines() if line.strip().startswith("$ ")]
    assert [words[words.index("dolmino_cli.cli.main") + 1] for words in shown] == ["sample", "train", "eval"] * 2
    assert "training: 31 steps of 4 x 16" in done.out
    assert not (place / "sweep").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--eval", "score"], "does not say {checkpoint}"),
        (["--eval-key", "x"], "--eval-key is of the JSON that --eval prints"),
        (["--set", "seed=1"], "--set replaces values of --run"),
        (["mine-1x.yaml"], "two plans are named mine-1x"),
        (["-c", "nothing/there"], "could not be had from the hub"),
    ],
)
def test_wrong_requests(sweep, place: Path, monkeypatch, arguments: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(place)
    import huggingface_hub.constants  # noqa: F401 - reads the variable when it is imported, for all later tests

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = sweep(*arguments)
    assert done.code in (1, 2)
    assert message in done.error
    assert trained(place) == []


def test_sigterm_ends_the_trainer_too(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from dolmino_cli.train.microanneals.steps import run_logged
run_logged([sys.executable, CHILD], Path(CHILD).with_name("train.log"))
"""
    assert sigterm_ends(program, tmp_path) == 128 + signal.SIGTERM
