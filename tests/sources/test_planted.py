"""The self-test finds what is planted, and says where a published rule falls short."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dolmino_cli.bundled import find
from dolmino_cli.executors.local import Local
from dolmino_cli.recipe import load_recipe
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.sources.evaluation_index import lettered_words
from dolmino_cli.sources.planted import BOUNDS, measure_clean, measure_recall, missed
from tests.executors.hostile import Hostile
from tests.pipeline.make import write_shard
from tests.sources.make import make_index

TEXTS = ["Who wrote Hamlet?", "Why do cats purr when somebody strokes their soft fur, then?", "No idea", "the " * 60]


def test_recall_by_form_and_length(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"a": TEXTS})
    found = {(recall.form, recall.least_words): recall.found for recall in measure_recall(index)}
    everything = {"paper": 1, "ai2": 1, "instance": 1, "default": 1}
    assert found["alone", 1] == {"paper": 0, "ai2": 0, "instance": 0, "default": 0}
    assert found["alone", 3] == {"paper": 1, "ai2": 0, "instance": 1, "default": 1}
    assert found["alone", 8] == found["alone", 50] == everything
    assert found["in 5,000 words", 8] == {"paper": 0, "ai2": 1, "instance": 1, "default": 1}
    assert found["upper case, in 100 words", 8] == {"paper": 0, "ai2": 0, "instance": 0, "default": 0}
    assert missed(list(measure_recall(index))) == 0


def test_normalised_words_are_found_in_every_form(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"a": TEXTS}, words="normalised")
    assert all(recall.found["default"] == recall.planted for recall in measure_recall(index) if recall.least_words >= 3)


def test_what_is_missed_is_counted(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"a": TEXTS}, shortest=5)
    assert missed(list(measure_recall(index))) == 3  # Hamlet, in three forms


def test_clean_documents(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"a": TEXTS})
    shard = write_shard(
        tmp_path / "clean.jsonl.zst", [b'{"id": "1", "text": "nothing"}', b'{"id": "2", "text": "Who wrote Hamlet?"}']
    )
    clean = measure_clean(index, list_shards([str(shard)]))
    assert (clean.documents, clean.named) == (2, {0: 1})
    assert clean.flagged == {"paper": 1, "ai2": 0, "instance": 1, "default": 1}


def test_clean_documents_are_the_same_from_any_executor(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"a": TEXTS})
    texts = ["nothing", "Who wrote Hamlet?", "the " * 60, "No idea", "Who wrote Hamlet? the"]
    for number, text in enumerate(texts):
        write_shard(tmp_path / "clean" / f"{number}.jsonl.zst", [msgspec.json.encode({"id": "1", "text": text})])
    shards = list_shards([str(tmp_path / "clean")])
    alone = measure_clean(index, shards)
    assert (alone.documents, alone.named[0]) == (5, 2)
    for executor in (Local(workers=2), Hostile(seed=0)):
        found = measure_clean(index, shards, executor)
        assert found == alone
        assert list(found.named) == list(alone.named)


def test_bounds_are_those_of_the_recipe() -> None:
    for profile, rules in (("paper", ("paper", "instance")), ("ai2", ("ai2",))):
        recipe = load_recipe(find("filters", "flan"), profile=profile)
        assert [measure.rule for measure in recipe.measures] == list(rules)  # type: ignore[attr-defined]
        assert [decision.below for decision in recipe.decisions] == [BOUNDS[rule] for rule in rules]


def test_words_are_those_of_the_index() -> None:
    texts = ("Who wrote Hamlet?", "...", "a_b 3.5", "", "Evaluate $\\log_264$.")
    assert lettered_words(texts, "as_written").tolist() == [3, 0, 2, 0, 2]
