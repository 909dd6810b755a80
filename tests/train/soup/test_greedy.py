"""The greedy soup: best first, a checkpoint stays if the soup is then no worse; commands that fail say so."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("safetensors", reason="needs the extra [train]")

from dolmino_cli.errors import ConfigError, RunFailed, StorageError  # noqa: E402
from dolmino_cli.train.evaluation.metric_command import MetricCommand  # noqa: E402
from dolmino_cli.train.soup.greedy import Trial, select  # noqa: E402
from dolmino_cli.train.soup.ingredient import open_ingredient  # noqa: E402
from tests.cli.run import Outcome, dolmino  # noqa: E402
from tests.executors.processes import sigterm_ends  # noqa: E402
from tests.fake_hub import hub_of  # noqa: E402
from tests.train.soup.make import checkpoint  # noqa: E402

# The one weight of a checkpoint, fp32, is the file's last 4 bytes; the score is how near it is to 10.
SCORE = """
import struct, sys
value = struct.unpack("<f", open(sys.argv[1] + "/model.safetensors", "rb").read()[-4:])[0]
print("noise")
print({printed})
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    for name, value in {"a": 4.0, "b": 9.0, "c": 12.0, "d": 30.0}.items():
        checkpoint(tmp_path / name, {"w": torch.tensor([value])})
    (tmp_path / "score.py").write_text(SCORE.format(printed="-abs(value - 10)"))
    (tmp_path / "json.py").write_text(SCORE.format(printed='\'{"task": {"off": %g}}\' % abs(value - 10)'))
    (tmp_path / "fail.py").write_text("import sys; print('one\\ntwo', file=sys.stderr); sys.exit(3)")
    return tmp_path


@pytest.fixture
def soup(made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def call(*arguments: object) -> Outcome:
        return dolmino(monkeypatch, capsys, "soup", *(made / name for name in "abcd"), "-o", made / "soup", *arguments)

    return call


def command(made: Path, script: str) -> str:
    return f"{sys.executable} -S {made / script} {{checkpoint}}"


def test_checkpoints_that_make_the_soup_worse_are_left_out(soup, made: Path) -> None:  # type: ignore[no-untyped-def]
    """Alone: b -1, c -2, a -6, d -20. b + c is 10.5: kept. With a 8.33: worse. With d 17: worse."""
    (made / ".soup.trial").mkdir()  # of a selection that was killed
    (made / ".soup.trial" / "model.safetensors").write_text("")
    done = soup("--greedy", "--metric", command(made, "score.py"))
    assert done.code == 0, done.err
    record = json.loads((made / "soup" / "soup.json").read_text())
    assert [(Path(entry["checkpoint"]).name, entry["weight"]) for entry in record["ingredients"]] == [("b", 0.5), ("c", 0.5)]
    trials = [("".join(Path(m).name for m in t["members"]), t["metric"], t["kept"]) for t in record["found_by"]["trials"]]
    assert trials == [
        ("b", -1, True),
        ("c", -2, False),
        ("a", -6, False),
        ("d", -20, False),
        ("bc", -0.5, True),
        ("bca", pytest.approx(-5 / 3, abs=1e-6), False),
        ("bcd", -7, False),
    ]
    assert not list(made.glob(".soup*"))
    again = soup("--greedy", "--metric", command(made, "score.py"))
    assert "the same soup was there already" in again.out


def test_a_second_selection_for_one_output_is_refused_and_changes_no_score(made: Path) -> None:
    metric = MetricCommand(command=command(made, "score.py"))
    ingredients = [open_ingredient(name, made / name) for name in "bc"]

    def second(trial: Trial) -> None:
        with pytest.raises(RunFailed, match=r"another process is writing .*/soup; wait until it has ended"):
            select(ingredients, metric, output=made / "soup")

    chosen = select(ingredients, metric, output=made / "soup", say=second)
    assert [trial.metric for trial in chosen.trials] == [-1, -2, -0.5]
    assert not list(made.glob(".soup*"))


def test_a_key_of_printed_json_and_lower_is_better(soup, made: Path) -> None:  # type: ignore[no-untyped-def]
    done = soup("--greedy", "--metric", command(made, "json.py"), "--metric-key", "task.off", "--lower-is-better")
    assert done.code == 0, done.err
    record = json.loads((made / "soup" / "soup.json").read_text())
    assert [Path(entry["checkpoint"]).name for entry in record["ingredients"]] == ["b", "c"]


def test_as_good_is_kept() -> None:
    assert MetricCommand(command="x {checkpoint}").better(1.0, 1.0)
    assert MetricCommand(command="x {checkpoint}", lower_is_better=True).better(1.0, 1.0)


def test_a_command_that_fails_says_its_last_lines_and_nothing_is_left(soup, made: Path) -> None:  # type: ignore[no-untyped-def]
    done = soup("--greedy", "--metric", command(made, "fail.py"))
    assert done.code == 1
    assert "ended with 3: one | two" in done.error
    assert not list(made.glob("*soup"))
    with pytest.raises(RunFailed, match="did not print a number as its last line: noise"):
        MetricCommand(command=f"{sys.executable} -c 'print(\"noise\")' {{checkpoint}}").score(made)
    with pytest.raises(RunFailed, match="did not print a number as its last line: nan"):
        MetricCommand(command="sh -c 'echo nan' {checkpoint}").score(made)
    with pytest.raises(ConfigError, match=r"does not say .checkpoint"):
        MetricCommand(command="score")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--greedy"], "--greedy needs --metric"),
        (["--metric", "x {checkpoint}"], "--metric, --metric-key and --lower-is-better are of --greedy"),
        (["--greedy", "--metric", "x {checkpoint}", "--weights", "1,1,1,1"], "--greedy is of equal weights"),
        (["--weights", "1,2"], "2 weights are given for 4 checkpoints"),
        (["--weights", "1,x,1,1"], "write a number for each checkpoint"),
        (["--dtype", "fp8"], "allowed are keep, bf16, fp32"),
        (["nothing/here/at-all"], "no checkpoint at 'nothing/here/at-all'"),
        (["-o", "s3://bucket/soup"], "is not on a disk"),
    ],
)
def test_wrong_requests(soup, made: Path, arguments: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    done = soup(*arguments)
    assert done.code == 2
    assert message in done.error
    assert not (made / "soup").exists()


def test_dry_run_writes_nothing(soup, made: Path) -> None:  # type: ignore[no-untyped-def]
    done = soup("--dry-run", "--weights", "1,1,1,5")
    assert done.code == 0, done.err
    assert "0.6250" in done.out
    assert "nothing was written" in done.out
    assert not (made / "soup").exists()
    (made / "soup").mkdir()
    assert "is there and is no soup" in soup("--dry-run").error


def test_a_hub_id_may_name_its_revision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dolmino_cli.train.checkpoint_folder import checkpoint_folder

    revisions = {
        at: {"config.json": at.encode(), "model.safetensors": b"0", "fp16/model.safetensors": b"1"} for at in ("main", "b")
    }
    with hub_of({"models/owner/name": revisions}, monkeypatch, tmp_path / "cache"):
        for name, revision, at in (("owner/name", None, "main"), ("owner/name@b", None, "b"), ("owner/name", "b", "b")):
            found = checkpoint_folder(name, revision)
            assert (found / "config.json").read_text() == at
            assert sorted(path.name for path in found.rglob("*")) == ["config.json", "model.safetensors"]
        with pytest.raises(StorageError, match="'owner/name@c' is no local folder and could not be had from the hub"):
            checkpoint_folder("owner/name@c")
    with pytest.raises(ConfigError, match="says a revision, and 'b' is given besides"):
        checkpoint_folder("owner/name@a", "b")
    with pytest.raises(ConfigError, match="revision 'b' is of a hub id"):
        checkpoint_folder(str(checkpoint(tmp_path / "a", {"w": torch.zeros(1)})), "b")


def test_the_output_of_a_run_stands_for_what_it_exported(made: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    (made / "run").mkdir()
    (made / "a").rename(made / "run" / "model")
    done = dolmino(monkeypatch, capsys, "soup", made / "run", made / "b", "-o", made / "soup")
    assert done.code == 0, done.err
    assert "0.5000" in done.out


def test_sigterm_ends_the_command_too(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from dolmino_cli.train.evaluation.metric_command import MetricCommand
MetricCommand(command=f"{sys.executable} {CHILD} {{checkpoint}}").score(Path())
"""
    assert sigterm_ends(program, tmp_path) == 128 + signal.SIGTERM
