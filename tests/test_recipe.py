"""A recipe file becomes its stages; where paper and executed code disagree, one side of it is taken, and said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dolmino_cli.bundled import bundled_names, find
from dolmino_cli.errors import ConfigError
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline.run import execute, finish, plan_run
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import Recipe, load_recipe
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.stages import STAGES
from dolmino_cli.stages.keep import Keep
from dolmino_cli.stages.length import Length
from tests.pipeline.make import line, read_json, read_lines, write_shard

# The paper wants 3 characters or more; what ran wanted more than 3 words and 1 vote.
TWO_SIDES = """
name: both
profile: paper
stages:
  - length: {profile: paper, unit: characters, into: size}
  - keep: {profile: paper, score: size, at_least: 3}
  - length: {unit: words, into: size, profile: ai2}
  - keep: {score: size, above: 3, profile: ai2}
  - field: {field: metadata.votes, into: votes}
  - keep: {profile: ai2, score: votes, at_least: 1}
"""


def load(folder: Path, text: str, profile: str | None = None, *overrides: str) -> Recipe:
    path = folder / "own.yaml"
    path.write_text(text)
    return load_recipe(path, overrides, profile)


def test_a_side_has_its_own_stages_and_the_common_ones_in_the_order_of_the_file(tmp_path: Path) -> None:
    paper, ai2 = (load(tmp_path, TWO_SIDES, profile) for profile in ("paper", "ai2"))
    assert [stage for stage in paper.stages if isinstance(stage, Keep | Length)] == [
        Length(unit="characters", into="size"),
        Keep(score="size", at_least=3),
    ]
    assert [stage for stage in ai2.stages if isinstance(stage, Keep | Length)] == [
        Length(unit="words", into="size"),
        Keep(score="size", above=3),
        Keep(score="votes", at_least=1),
    ]
    assert [measure.into for measure in paper.measures] == [measure.into for measure in ai2.measures] == ["size", "votes"]


def test_the_default_side_is_what_the_file_says_and_the_paper_where_it_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, TWO_SIDES) == load(tmp_path, TWO_SIDES, "paper")
    silent = TWO_SIDES.replace("profile: paper\nstages", "stages")
    assert load(tmp_path, silent) == load(tmp_path, silent, "paper")
    other = TWO_SIDES.replace("profile: paper\nstages", "profile: ai2\nstages")
    assert load(tmp_path, other) == load(tmp_path, other, "ai2")
    assert load(tmp_path, other).profiles == ("ai2", "paper")


def test_a_side_may_have_nothing_of_its_own(tmp_path: Path) -> None:
    one_more = "name: n\nstages:\n  - length: {unit: words, into: n}\n  - keep: {profile: ai2, score: n, at_least: 2}\n"
    assert load(tmp_path, one_more).decisions == ()
    assert load(tmp_path, one_more, "ai2").decisions == (Keep(score="n", at_least=2),)


def test_an_unknown_side_is_refused_naming_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--profile olmo: .*own\.yaml has the profiles paper, ai2; give one of them"):
        load(tmp_path, TWO_SIDES, "olmo")
    one_side = "name: n\nstages:\n  - length: {unit: words, into: n}\n"
    with pytest.raises(ConfigError, match=r"--profile paper: .*own\.yaml has no profiles"):
        load(tmp_path, one_side, "paper")
    with pytest.raises(ConfigError, match=r"own\.yaml:2: profile: no stage belongs to a profile; leave this out"):
        load(tmp_path, one_side.replace("\n", "\nprofile: paper\n", 1))
    with pytest.raises(ConfigError, match=r"own\.yaml:5: stages\[0\]\.length\.profile: 'papr' given; allowed: paper, ai2"):
        load(tmp_path, TWO_SIDES.replace("{profile: paper, unit", "{profile: papr, unit"))


def test_the_side_that_is_not_asked_for_is_checked_as_strictly(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"own\.yaml:8: stages\[3\]\.keep\.abvoe: unknown key; did you mean 'above'"):
        load(tmp_path, TWO_SIDES.replace("above: 3", "abvoe: 3"), "paper")
    with pytest.raises(ConfigError, match=r"own\.yaml: profile ai2: keep: no earlier stage writes the score 'size'"):
        load(tmp_path, TWO_SIDES.replace("into: size, profile: ai2", "into: other, profile: ai2"), "paper")


def test_an_override_meets_the_side_that_runs(tmp_path: Path) -> None:
    # On the paper's side, which has `at_least`, the same override would be a second lower bound.
    assert Keep(score="size", above=7) in load(tmp_path, TWO_SIDES, "ai2", "size.above=7").stages
    with pytest.raises(ConfigError, match="are both lower bounds"):
        load(tmp_path, TWO_SIDES, "paper", "size.above=7")


def test_two_scores_of_one_name_on_one_side_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two columns would be called 'size'"):
        load(tmp_path, TWO_SIDES.replace("into: size, profile: ai2", "into: size"))


def test_no_stage_has_a_parameter_called_profile() -> None:
    assert [name for name, cls in STAGES.items() if "profile" in {field.name for field in dataclasses.fields(cls)}] == []


def test_the_ledger_has_the_side_and_another_side_is_another_run(tmp_path: Path) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", [line(1, 5, 7), line(2, 2, 9)])
    recipe = load(tmp_path, TWO_SIDES)
    run = plan_run(recipe, list_shards([str(tmp_path / "in")]), str(tmp_path / "out"), Options())
    for _ in execute(run, Local()):
        pass
    finish(run)
    for file in ("run.json", "ledger/a.jsonl.zst.json"):
        assert read_json(tmp_path / "out" / file)["recipe"]["profile"] == "paper"  # type: ignore[index]
    with pytest.raises(ConfigError, match=r'of another run: recipe\.profile: "paper" -> "ai2"; use another --output'):
        plan_run(load(tmp_path, TWO_SIDES, "ai2"), list_shards([str(tmp_path / "in")]), str(tmp_path / "out"), Options())


def test_a_recipe_without_stages_passes_every_document(tmp_path: Path) -> None:
    lines = [line(1, 5, 7), line(2, 2, None)]
    write_shard(tmp_path / "in/a.jsonl.zst", [*lines, b"{"])
    recipe = load(tmp_path, "name: all\nsource: Somewhere (org/name)\nlicence: CC0\nstages: []\n")
    run = plan_run(recipe, list_shards([str(tmp_path / "in")]), str(tmp_path / "out"), Options(on_error="quarantine"))
    for _ in execute(run, Local()):
        pass
    finish(run)
    assert read_lines(tmp_path / "out/documents/a.jsonl.zst") == lines
    summary = read_json(tmp_path / "out/run.json")
    assert (summary["source"], summary["licence"]) == ("Somewhere (org/name)", "CC0")
    assert summary["counts"] == {"in": 3, "kept": 2, "quarantined": 1, "dropped": {}, "steps": []}
    with pytest.raises(ConfigError, match="recipe 'all' measures nothing: nothing to score"):
        plan_run(recipe, list_shards([str(tmp_path / "in")]), str(tmp_path / "scored"), Options(decide=False))


@pytest.mark.parametrize("name", bundled_names("filters"))
def test_every_bundled_recipe_loads_on_every_side(name: str) -> None:
    path = find("filters", name)
    recipe = load_recipe(path)
    assert (recipe.name, bool(recipe.source), bool(recipe.reference), bool(recipe.licence)) == (name, True, True, True)
    for profile in recipe.profiles:
        assert load_recipe(path, (), profile).profile == profile
