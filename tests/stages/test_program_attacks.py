"""No program of the corpus executes anything, takes over 50 ms of one core or 50 MB; each goes by the reason that it should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.stages.program import Program
from tests.stages.program_attacks import corpus
from tests.stages.program_cases import CANARY

ROOT = Path(__file__).resolve().parents[2]
CORPUS = corpus()


def guarded(folder: Path, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.stages.program_guard", how]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    outcome: dict[str, Any] = json.loads(ran.stdout)
    return outcome


@pytest.fixture(scope="module", params=["as_is", "reindent"])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("attacks")
    found = guarded(folder, request.param)
    assert list(folder.iterdir()) == [], f"something was executed: {CANARY} or another file is there"
    return {**found, "how": request.param}


def test_there_are_two_hundred_distinct_programs_and_every_kind_of_refusal() -> None:
    assert len({text for text, _ in CORPUS.values()}) >= 600
    reasons = Counter(expected.partition(" ")[0] for _, expected in CORPUS.values())
    assert set(reasons) == {*Program().reasons, "="}


def test_every_program_goes_by_its_reason_or_has_its_harmless_value(outcome: dict[str, Any]) -> None:
    became = {name: attack["became"] for name, attack in outcome["attacks"].items()}
    expected = {name: expected for name, (_, expected) in CORPUS.items()}
    if outcome["how"] == "reindent":  # What was no Python only for its indentation has a value now.
        expected |= {"odd_characters: tabs and spaces": "= 1", "floods: returns": "no_result"}
    assert became == expected


def test_nothing_is_executed(outcome: dict[str, Any]) -> None:
    assert {name: attack["asked"] for name, attack in outcome["attacks"].items() if attack["asked"]} == {}


def test_none_takes_50_ms(outcome: dict[str, Any]) -> None:
    assert {name: attack["seconds"] for name, attack in outcome["attacks"].items() if attack["seconds"] > 0.05} == {}


def test_none_takes_50_mb(outcome: dict[str, Any]) -> None:
    assert {name: attack["peak_bytes"] for name, attack in outcome["attacks"].items() if attack["peak_bytes"] > 50e6} == {}
    assert outcome["resident_growth_kb"] < 50_000, "all of them together, what C allocates included"


def test_the_guard_sees_what_it_is_there_for(tmp_path: Path) -> None:
    """The same hook, and a program that is executed after all."""
    code = f"""
import sys
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event))
exec(compile("open({CANARY!r}, 'w').close()", "made", "exec"))
assert "exec" in seen and "open" in seen, seen
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.iterdir()] == [CANARY]
