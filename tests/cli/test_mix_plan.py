"""`dolmino mix plan`: table, costs and warnings, and the same for machines."""

from __future__ import annotations

import json

import pytest

from tests.cli.run import Outcome, dolmino


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def call(*arguments: object) -> Outcome:
        return dolmino(monkeypatch, capsys, "mix", "plan", *arguments)

    return call


def test_steps_costs_and_warnings_stand_below_the_table(run) -> None:  # type: ignore[no-untyped-def]
    done = run("dolmino-1124-50b", "--batch-sequences", 1024, "--steps", 11931, "--rate", "train=9500")
    assert done.code == 0, done.err
    assert "training: 11,931 steps of 1,024 x 4,096 = 4.19M tokens; 50.04B seen (97.3 %)" in done.out
    assert "storage: arrays 205." in done.out
    assert "GPU-hours: your model 1,463" in done.out
    assert "warning: training stops after 11,931 steps" in done.out


def test_json_holds_the_same_numbers(run) -> None:  # type: ignore[no-untyped-def]
    done = run("dolmino-1124-50b", "--batch-sequences", 1024, "--steps", 11931, "--json")
    found = json.loads(done.out)
    dclm = next(source for source in found["sources"] if source["name"] == "dclm")
    assert (dclm["tokens"], dclm["available_from"], dclm["source_percent"]) == (24_289_600_000, "published", 3.23)
    assert found["run"]["seen_tokens"] == 11931 * 1024 * 4096
    assert any("training stops" in warning for warning in found["warnings"])


def test_a_step_of_unknown_size_is_a_wrong_request(run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    manifest = tmp_path / "m.yaml"
    manifest.write_text("name: m\ntokenizer: t\nseed: 1\nsources: {a: {tokens: 5}}\n")
    done = run(manifest, "--steps", 10)
    assert done.code == 2
    assert "give --batch-sequences" in done.error
    assert run(manifest, "--rate", "gpu=3").code == 2


def test_a_mix_that_cannot_be_compared_with_is_said_to_be_that_one(run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    manifest = tmp_path / "m.yaml"
    manifest.write_text("name: m\ntokenizer: t\nseed: 1\nsources: {a: {tokens: 5}}\nagainst: nope\n")
    done = run(manifest)
    assert done.code == 2 and "cannot compare it with 'nope' (`against`): no bundled mix 'nope'" in done.error


def test_arrays_given_and_not_found_are_warned_of(run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    done = run("dolmino-1124-50b", "--arrays", tmp_path)
    assert done.code == 0 and f"warning: no source has token arrays below {tmp_path}" in done.out


def test_amounts_beyond_all_counting_are_refused(run) -> None:  # type: ignore[no-untyped-def]
    done = run("dolmino-1124-50b", "--scale", "1e300")
    assert done.code == 2 and "would take a 311-digit number of tokens; take less" in done.error


def test_no_number_is_no_bound(run) -> None:  # type: ignore[no-untyped-def]
    assert run("dolmino-1124-50b", "--repetition-bound", "nan").code == 2
    assert run("dolmino-1124-50b", "--repetition-bound", "inf").code == 0


def test_a_part_of_a_mix_is_one_epoch_and_not_the_whole_run(run) -> None:  # type: ignore[no-untyped-def]
    whole, part = (json.loads(run("dolmino-1124-50b-as-run", "--scale", scale, "--json").out)["run"] for scale in (1, 0.01))
    assert whole["steps"] == 11_931
    assert part["steps"] == part["steps_of_an_epoch"] == 122
