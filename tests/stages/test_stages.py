"""The table of stages: each is a frozen, keyword-only, picklable dataclass; naming them imports nothing heavy."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys

import pytest

from dolmino_cli.stages import STAGES

EXAMPLES = {
    "fasttext": {"model": "m.bin", "label": "__label__hq", "into": "s"},
    "classifier": {"model": "lab/edu", "into": "s"},
    "repeated_ngrams": {"tokenizer": "t.json", "into": "s"},
    "word_concentration": {"top": 1, "into": "s"},
    "ngram_overlap": {"index": "evals.index", "into": "s"},
    "in_index": {"index": "evals.index", "by": "text", "into": "s"},
    "length": {"unit": "words", "into": "s"},
    "field": {"field": "metadata.stars", "into": "s"},
    "field_is": {"field": "metadata.split", "values": ("train",), "into": "s"},
    "reuse": {"field": "score", "into": "s"},
    "program": {"calls": "none"},
    "renumber": {"seed": 1},
    "keep": {"score": "s", "at_least": 1.0},
}


def test_every_stage_has_an_example_here() -> None:
    assert list(EXAMPLES) == list(STAGES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_stage_is_its_parameters(name: str) -> None:
    stage = STAGES[name](**EXAMPLES[name])
    assert stage == STAGES[name](**EXAMPLES[name]) and hash(stage) == hash(STAGES[name](**EXAMPLES[name]))
    assert pickle.loads(pickle.dumps(stage)) == stage
    asked_of_a_stage = ("decide", "near") if name == "keep" else ("prepare", "tolerance", "__call__")
    if hasattr(STAGES[name], "edit"):
        asked_of_a_stage = ("prepare", "reasons", "edit")
    assert all(hasattr(STAGES[name], member) for member in asked_of_a_stage)
    with pytest.raises(dataclasses.FrozenInstanceError):
        stage.into = "other"
    with pytest.raises(TypeError):
        STAGES[name](*EXAMPLES[name].values())
    assert STAGES[name].__doc__ and not STAGES[name].__doc__.startswith(STAGES[name].__name__ + "("), "say what it does"


def printed_by(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_a_stage_is_imported_when_it_is_named_and_brings_nothing_heavy() -> None:
    stages = [f"dolmino_cli.stages.{name}" for name in STAGES]
    listed = f"print([name for name in {stages} if name in sys.modules])"
    assert printed_by(f"import sys\nfrom dolmino_cli.stages import STAGES\n'keep' in STAGES, list(STAGES)\n{listed}") == "[]"
    named = "import sys\nfrom dolmino_cli.stages import STAGES\nSTAGES['keep']\n"
    assert printed_by(named + listed) == "['dolmino_cli.stages.keep']"
    heavy = "numba fasttext gigatoken tokenizers torch transformers boto3".split()
    every = "import sys\nfrom dolmino_cli.stages import STAGES\ndict(STAGES.items())\n"
    assert printed_by(f"{every}print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_a_stage_knows_its_name_where_its_class_was_never_looked_up() -> None:
    code = "from dolmino_cli.stages import STAGES\nfrom dolmino_cli.stages.length import Length\n"
    assert printed_by(f"{code}print(STAGES.name_of(Length(unit='words', into='s')))") == "length"
