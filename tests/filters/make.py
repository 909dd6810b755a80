"""Documents, stand-ins for what recipes load, and one run of a bundled recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dolmino_cli.bundled import find
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline.run import execute, finish, plan_run
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import Recipe, load_recipe, stage_name
from dolmino_cli.shards.listing import list_shards
from tests.pipeline.make import read_json
from tests.sources.make import make_index
from tests.stages.classifier_model import train
from tests.stages.fasttext_files import write_model
from tests.tokenizer.make import byte_level


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run did: why each document went (None = kept), by id, and the figures of run.json."""

    output: Path
    reasons: dict[str, str | None]
    counts: dict[str, Any]

    @property
    def kept(self) -> list[str]:
        return [name for name, reason in self.reasons.items() if reason is None]


def document(name: str, text: str, **metadata: Any) -> bytes:
    return json.dumps({"id": name, "text": text, "source": "made", "metadata": metadata}, ensure_ascii=False).encode()


def byte_tokenizer(folder: Path) -> str:
    """A tokenizer whose tokens are the bytes: a repetition is one that can be seen."""
    return str(byte_level(folder / "bytes.json", size=258))


def fasttext_model(folder: Path, label: str) -> str:
    path = folder / f"{label}.bin"
    write_model(path, ["</s>", "the", "of", "and", "a"], [label, "__label__other"])
    return str(path)


def education_model(folder: Path) -> str:
    pytest.importorskip("torch", reason="needs the extra [classifier]")
    return str(train(folder / "edu", steps=0, positions=512))


def evaluation_index(folder: Path) -> str:
    return str(make_index(folder, {"made": ["Which of these is no question at all?"]}).path)


# What stands in for what a measure loads: stage -> (parameter, how to make it in a folder for that measure).
STAND_INS: dict[str, tuple[str, Callable[[Path, Any], str]]] = {
    "repeated_ngrams": ("tokenizer", lambda folder, _: byte_tokenizer(folder)),
    "fasttext": ("model", lambda folder, measure: fasttext_model(folder, measure.label)),
    "classifier": ("model", lambda folder, _: education_model(folder)),
    "ngram_overlap": ("index", lambda folder, _: evaluation_index(folder)),
    "in_index": ("index", lambda folder, _: evaluation_index(folder)),
}


def stand_ins(recipe: Recipe, folder: Path) -> list[str]:
    """Overrides that have every measure load something small, made in `folder`."""
    found = []
    for measure in recipe.measures:
        if stage_name(measure) in STAND_INS:
            parameter, make = STAND_INS[stage_name(measure)]
            found.append(f"{measure.into}.{parameter}={make(folder, measure)}")
    return found


def run_recipe(
    name: str, profile: str | None, inputs: Sequence[Path], output: Path, overrides: Sequence[str] = (), **options: Any
) -> Ran:
    """The bundled recipe `name` over `inputs`, kept in `output`; asserts that no record is lost."""
    recipe = load_recipe(find("filters", name), overrides, profile)
    run = plan_run(recipe, list_shards([str(path) for path in inputs]), str(output), Options(**options))
    for _ in execute(run, Local()):
        pass
    finish(run)
    counts: Any = read_json(output / "run.json")["counts"]
    assert counts["in"] == counts["kept"] + sum(counts["dropped"].values()) + counts["quarantined"]
    reasons: dict[str, str | None] = {}
    for path in sorted((output / "attributes").rglob("*.parquet")):
        rows = pq.read_table(path, columns=["id", "reason"]).to_pylist()
        reasons |= {row["id"]: row["reason"] for row in rows}
    return Ran(output=output, reasons=reasons, counts=counts)
