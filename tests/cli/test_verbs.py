"""The verbs end to end on small inputs: what they print and write."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.cli.run import Outcome, dolmino
from tests.pipeline.make import RECIPE, line, read_json, tree, write_shard

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """A folder with two shards, a recipe and a tokenizer; runs verbs in it."""
    monkeypatch.chdir(tmp_path)
    for shard in range(2):
        write_shard(tmp_path / f"in/{shard}.jsonl.zst", [line(100 * shard + n, n % 9 + 1, n % 4) for n in range(40)])
    (tmp_path / "small.yaml").write_text(RECIPE)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["xxxx"], trainer)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return lambda *arguments: dolmino(monkeypatch, capsys, *arguments)


def done(outcome: Outcome) -> str:
    assert outcome.code == 0, outcome.err
    return outcome.out


def test_filter_shows_the_waterfall(run) -> None:  # type: ignore[no-untyped-def]
    outcome = run("filter", "small.yaml", "in", "-o", "out")
    cells = [[cell.strip() for cell in row.split("│")[1:-1]] for row in done(outcome).splitlines() if row.startswith("│")]
    assert cells == [
        ["in", "80", "380 B", "", ""],
        ["dropped: short (characters >= 3)", "-20", "-30 B", "75.0 %", "75 ± 5 %"],
        ["dropped: unpopular (votes >= 2)", "-28", "-168 B", "53.3 %", ""],
        ["kept", "32", "182 B", "40.0 %", ""],
    ]
    assert "2 shards" in outcome.err
    assert "80 documents" in outcome.err


def test_the_profile_is_chosen_and_said(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sides = RECIPE.replace("at_least: 2", "at_least: 2, profile: paper")
    sides += "  - keep: {profile: ai2, score: votes, above: 2, reason: unpopular, missing: drop}\n"
    (tmp_path / "sides.yaml").write_text(sides)
    assert "small (ai2): dry run" in done(run("filter", "sides.yaml", "in", "-o", "out", "--profile", "ai2", "--dry-run"))
    outcome = run("filter", "sides.yaml", "in", "-o", "out", "--profile", "ai2")
    assert "dropped: unpopular (votes > 2)" in done(outcome)
    assert "small (ai2): 2 shards" in outcome.err
    again = run("filter", "sides.yaml", "in", "-o", "out")
    assert (again.code, 'recipe.profile: "ai2" -> "paper"' in again.error) == (2, True)
    refused = run("score", "small.yaml", "in", "-o", "out", "--profile", "ai2")
    assert (refused.code, "--profile ai2: small.yaml has no profiles" in refused.error) == (2, True)


def test_recipes_are_listed_and_shown(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    listed = [line.split()[:3] for line in done(run("recipe", "list")).splitlines()]
    assert ["starcoder", "paper,", "ai2"] in listed
    assert ["wiki", "-", "Wikipedia"] in listed
    (tmp_path / "small.yaml").write_text(
        RECIPE.replace("stages:", "licence: CC0\nprofile: ai2\nstages:").replace("{field", "{profile: ai2, field")
    )
    assert done(run("recipe", "show", "small.yaml", "--set", "characters.at_least=4")).splitlines() == [
        "small",
        "  licence:   CC0",
        "  profile:   ai2",
        "  characters = length: unit characters",
        "  keep characters >= 4, else dropped as 'short', expected to keep 75 ± 5 %; without a score: fail",
        "  votes = field: field metadata.votes",
        "  keep votes >= 2, else dropped as 'unpopular'; without a score: drop",
    ]
    assert "drops nothing" in done(run("recipe", "show", "gutenberg"))


def test_dry_run_predicts_and_writes_nothing(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = done(run("filter", "small.yaml", "in", "-o", "out", "--dry-run"))
    assert "sample of 80 documents from 2 of 2 shards" in text
    assert "predicted for all shards" in text
    assert not (tmp_path / "out").exists()


def test_score_then_filter_equals_filter(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert "80 documents, 380 B of text scored: characters, votes" in done(run("score", "small.yaml", "in", "-o", "scored"))
    done(run("filter", "small.yaml", "in", "-o", "decided", "--scores", "scored"))
    done(run("filter", "small.yaml", "in", "-o", "measured", "--measure-dropped"))
    assert tree(tmp_path / "decided") == tree(tmp_path / "measured")


def test_expectations_can_fail_a_run(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    outcome = run("filter", "small.yaml", "in", "-o", "out", "--set", "characters.at_least=8", "--expect", "fail")
    assert outcome.code == 1
    assert "short keeps 20.0 % of documents, expected 75 ± 5 %" in outcome.error
    assert read_json(tmp_path / "out/run.json")["complete"] is True
    assert done(run("filter", "small.yaml", "in", "-o", "out", "--set", "characters.at_least=8"))


def test_retokenize_plan_and_sample(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done(run("filter", "small.yaml", "in", "-o", "out"))
    text = done(run("retokenize", "out", "-t", "tokenizer.json", "-o", "tokens/a"))
    assert "32 documents read = 32 tokenized + 0 empty + 0 quarantined" in text
    (tmp_path / "mix.yaml").write_text(
        "name: m\ntokenizer: tokenizer.json\nseed: 1\nsources:\n  a: {source_percent: 250}\nexpect: {mix_percent: {a: 100}}\n"
    )
    assert "250" in done(run("mix", "plan", "mix.yaml", "--arrays", "tokens"))
    assert "nothing was written" in done(run("sample", "mix.yaml", "--arrays", "tokens", "-o", "mix", "--dry-run"))
    assert not (tmp_path / "mix").exists()
    done(run("sample", "mix.yaml", "--arrays", "tokens", "-o", "mix", "--lock", "m.lock.json"))
    lock = json.loads((tmp_path / "m.lock.json").read_text())
    source = lock["sources"]["a"]
    assert source["whole_passes"] == 2
    tokens = np.fromfile(tmp_path / "mix/part-00000.npy", dtype=np.uint16)
    assert len(tokens) == source["taken_tokens"] >= 2.5 * source["tokens"]
    assert "identical to the lock: 1 part" in done(run("sample", "m.lock.json", "--arrays", "tokens", "-o", "again"))
    assert (tmp_path / "again/part-00000.npy").read_bytes() == tokens.tobytes()


def test_an_unfinished_run_is_not_retokenized(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write_shard(tmp_path / "in/2.jsonl.zst", [b"{"])
    assert run("filter", "small.yaml", "in", "-o", "out").code == 1
    outcome = run("retokenize", "out", "-t", "tokenizer.json", "-o", "tokens")
    assert (outcome.code, "out is an unfinished run" in outcome.error) == (2, True)


def test_debug_shows_the_traceback(run) -> None:  # type: ignore[no-untyped-def]
    plain = run("filter", "absent", "in", "-o", "out")
    assert "Traceback" not in plain.err
    debug = run("--debug", "filter", "absent", "in", "-o", "out")
    assert "Traceback" in debug.err
    assert debug.code == plain.code == 2


@pytest.mark.slow
def test_the_wheel_carries_recipes_and_mixes(tmp_path: Path) -> None:
    """Installed from a wheel, in an empty folder, bundled names are found."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-cache-dir", "-w", str(tmp_path), str(ROOT)]
    built = subprocess.run(build, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("dolmino-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    for arguments in (["mix", "plan", "dolmino-1124-50b"], ["mix", "list"], ["filter", "dclm", "absent", "-o", "out"]):
        command = [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); from dolmino_cli.cli.main import run; run()",
        ]
        shown = subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=tmp_path / "empty")
        if arguments[0] == "mix":
            assert shown.returncode == 0, shown.stderr
            assert "dclm" in shown.stdout or "dolmino-1124-50b" in shown.stdout
        else:
            assert "absent: there is no such file or folder" in shown.stderr  # the recipe itself was found
