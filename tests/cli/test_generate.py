"""`dolmino generate arithmetic` as one types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.cli.amounts import parse_amount
from dolmino_cli.errors import ConfigError
from tests.cli.run import dolmino
from tests.tokenizer.make import CL100K, byte_level

AMOUNTS = {
    "11M": 11_000_000,
    "200k": 200_000,
    "1.5B": 1_500_000_000,
    "11_000_000": 11_000_000,
    "1,024": 1024,
    "7": 7,
    "1T": 10**12,
}


@pytest.mark.parametrize("given", AMOUNTS)
def test_amounts(given: str) -> None:
    assert parse_amount("--tokens", given) == AMOUNTS[given]


@pytest.mark.parametrize("given", ["", "M", "-5", "1.5", "1.2345K", "11 M", "0x10", "many", "٣"])
def test_what_is_no_amount_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=r"--tokens .*: give a whole number such as 11M"):
        parse_amount("--tokens", given)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    return byte_level(tmp_path / "tokenizer.json", pattern=CL100K)


def test_a_run_and_its_account(
    tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("generate", "arithmetic", "--documents", "2K", "-t", tokenizer, "--seed", 42, "-o", tmp_path / "out")
    outcome = dolmino(monkeypatch, capsys, *arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("2,000 documents, ") and f"written to {tmp_path / 'out'}" in outcome.out
    again = dolmino(monkeypatch, capsys, *arguments)
    assert "1 shards are done already and skipped" in again.err
    assert again.out == outcome.out
    other = dolmino(monkeypatch, capsys, *arguments[:-3], 43, "-o", tmp_path / "out")
    assert other.code == 2 and "recipe.seed: 42 -> 43" in other.error


def test_dry_run_writes_nothing_and_foretells(
    tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("generate", "arithmetic", "--tokens", "1M", "-t", tokenizer, "--seed", 42, "-o", tmp_path / "out", "--dry-run")
    outcome = dolmino(monkeypatch, capsys, *arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("--- ") == 12
    assert "1.00M tokens of tokenizer.json" in outcome.out and "nothing was written" in outcome.out
    assert not (tmp_path / "out").exists()


def test_both_targets_are_refused(
    tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("generate", "arithmetic", "--tokens", "1M", "--documents", "5", "-t", tokenizer, "--seed", 1, "-o", tmp_path)
    outcome = dolmino(monkeypatch, capsys, *arguments)
    assert outcome.code == 2 and outcome.error == "--tokens 1000000, --documents 5: give one of the two"
