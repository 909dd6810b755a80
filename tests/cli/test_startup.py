"""`dolmino --help` and `--version` answer at once: nothing heavy is imported before a verb runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from dolmino_cli import __version__
from dolmino_cli.cli.main import app
from dolmino_cli.cli.verbs import VERBS
from tests.pipeline.make import RECIPE, line, write_shard

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "numpy",
    "pyarrow",
    "numba",
    "torch",
    "transformers",
    "datasets",
    "fasttext",
    "tokenizers",
    "gigatoken",
    "boto3",
    "huggingface_hub",
    "httpx2",
}
PROBE = """
import json, sys
sys.argv = ["dolmino", *sys.argv[1:]]
from dolmino_cli.cli.main import main
print(json.dumps([main(), sorted(sys.modules)]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["filter", "--help"],
        ["sample", "--help"],
        ["mix", "plan", "--help"],
        ["join", "stackexchange", "--help"],
        ["rewrite", "--help"],
        ["report", "--help"],
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert HEAVY & {name.split(".")[0] for name in modules} == set()


def test_a_verb_is_not_slowed_by_the_others() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE, "clean", "--help"], capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert {f"dolmino_cli.cli.{verb}" for verb in VERBS} & set(modules) == {"dolmino_cli.cli.clean"}


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"dolmino {__version__}\n"


def commands(group: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found += commands(command, (*path, name)) if hasattr(command, "commands") else [(*path, name)]
    return found


@pytest.mark.parametrize("path", commands(typer.main.get_command(app)), ids=" ".join)
def test_every_command_has_an_example(path: tuple[str, ...]) -> None:
    help_text = CliRunner().invoke(app, [*path, "--help"]).output
    assert "Example" in help_text
    assert f"dolmino {' '.join(path)} " in help_text + " "


def test_workers_do_not_run_the_command_s_script_again(tmp_path: Path) -> None:
    for number in range(4):
        write_shard(tmp_path / f"in/{number}.jsonl.zst", [line(1, 5, 7)])
    (tmp_path / "small.yaml").write_text(RECIPE)
    script, runs = tmp_path / "dolmino", tmp_path / "runs"
    script.write_text(
        f"open({str(runs)!r}, 'a').write(__name__ + '\\n')\n"
        "from dolmino_cli.cli.main import run\n"
        "if __name__ == '__main__':\n"
        "    run()\n"
    )
    arguments = ["filter", tmp_path / "small.yaml", tmp_path / "in", "-o", tmp_path / "out", "-w", "2"]
    subprocess.run([sys.executable, script, *arguments], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (tmp_path / "out/run.json").is_file()
    assert runs.read_text() == "__main__\n"
