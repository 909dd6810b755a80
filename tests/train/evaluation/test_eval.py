"""`dolmino eval` on a random model: the harness is run, by its own prompts, on the items that may be asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [eval]")
pytest.importorskip("lm_eval", reason="needs the extra [eval]")
pytest.importorskip("accelerate", reason="needs the extra [eval]")

from dolmino_cli.train.evaluation import gsm8k  # noqa: E402
from dolmino_cli.train.evaluation.gsm8k import STAR, fingerprint  # noqa: E402
from dolmino_cli.train.evaluation.harness import Harness  # noqa: E402
from dolmino_cli.train.evaluation.request import EvalRequest  # noqa: E402
from dolmino_cli.train.evaluation.results import result_name  # noqa: E402
from tests.cli.run import Outcome, dolmino  # noqa: E402
from tests.train.evaluation.test_gsm8k import QUESTIONS, documents  # noqa: E402
from tests.train.tiny_checkpoint import tiny_checkpoint  # noqa: E402


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    numbers = {fingerprint(question): number for number, question in enumerate(QUESTIONS)}
    monkeypatch.setattr(gsm8k, "_numbers", lambda: numbers)
    rows = [{**row, "answer": f"#### {row['answer']}"} for row in documents(*range(1319))]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    examples = [{"question": f"What is {number} less {number}?", "answer": "#### 0"} for number in range(8)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in examples))
    tiny_checkpoint(tmp_path / "model")
    return tmp_path


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    items = ("--items", place / "test.jsonl", "--examples", place / "train.jsonl")

    def call(*arguments: object) -> Outcome:
        return dolmino(monkeypatch, capsys, "eval", place / "model", *items, *arguments)

    return call


def test_star_items_are_asked_and_results_written(run, place: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    evaluated = Harness.evaluate
    monkeypatch.setattr(
        Harness, "evaluate", lambda self, path, **given: evaluated(self, path, options={"max_gen_toks": 2}, **given)
    )
    done = run("--limit", 4, "-o", place / "out", "--json", "--shots", 1)
    assert done.code == 0, done.err
    assert "gsm8k: 4 of 1,319 items, of GSM*" in done.err
    assert "the first 4 items of each task only: a trial" in done.out
    numbers = json.loads(done.out.splitlines()[-1])["gsm8k-star"]
    assert numbers.keys() == {"exact_match,strict-match", "exact_match,flexible-extract"}
    (path,) = (place / "out").glob("*.json")
    found = json.loads(path.read_text())
    (result,) = found["results"]
    assert result["items"] == 4
    assert tuple(result["chosen"]["places"]) == STAR[:4]
    assert found["asked"] == {"tasks": ["gsm8k-star"], "final": False, "shots": 1, "limit": 4}
    assert not (place / "out" / "final-evaluations.jsonl").exists()
    for _ in range(2):  # the final evaluation, twice
        assert run("--limit", 2, "-o", place / "out", "--task", "gsm8k", "--final", "--shots", 0).code == 0
    looks = [json.loads(line) for line in (place / "out" / "final-evaluations.jsonl").read_text().splitlines()]
    assert [look["tasks"] for look in looks] == [["gsm8k"], ["gsm8k"]]
    assert looks[0]["weights_sha256"] == found["checkpoint"]["weights_sha256"]
    (path,) = (place / "out").glob("gsm8k.final.0-shot.first-2.*.json")
    assert json.loads(path.read_text())["results"][0]["chosen"]["places"] == [1, 3]


def test_a_result_has_a_name_of_its_own() -> None:
    def name(*tasks: str, shots: int | None = None, limit: int | None = None) -> str:
        return result_name(tasks, "0123456789abcdef", final=False, shots=shots, limit=limit)

    assert name("gsm8k-star", "mmlu") == "gsm8k-star+mmlu.0123456789ab.json"
    assert name("gsm8k-star", limit=5) == "gsm8k-star.first-5.0123456789ab.json"  # a trial, beside the result
    assert name("gsm8k-star", shots=0) == "gsm8k-star.0-shot.0123456789ab.json"
    many = [f"mmlu_subject_{number}" for number in range(60)]
    assert name(*many) != name(*many[:-1])
    assert len(name(*many, shots=5, limit=5)) < 255
    assert name("./my/task.yaml") == "._my_task.yaml.0123456789ab.json"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "gsm8k"], "task gsm8k asks items of GSM8K's test split, 1,119 of which are held out"),
        (["--task", "gsm8k_cot"], "take gsm8k_cot-star, its 200 items to develop by"),
        (["--task", "gsm8k", "--final"], "--final is recorded in the output folder"),
        (["--task", "gsm8k-star", "--task", "gsm8k-star"], "--task is given twice"),
        (["--final", "-o", "out"], "--final is for items that are held out, and gsm8k-star has none"),
        (["--batch-size", "many"], "--batch-size 'many'"),
        (["--shots", "9"], "task gsm8k shows 9 worked examples and --examples has 8"),
    ],
)
def test_wrong_requests(run, arguments: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    done = run(*arguments)
    assert done.code == 2, done.err
    assert message in done.error


def test_a_model_that_cannot_be_evaluated_is_one_line(run, place: Path) -> None:  # type: ignore[no-untyped-def]
    config = json.loads((place / "model" / "config.json").read_text())
    (place / "model" / "config.json").write_text(json.dumps(config | {"model_type": "of-tomorrow"}))
    done = run("--shots", 0)
    assert done.code == 1
    assert "failed: " in done.error
    assert "of-tomorrow" in done.error


def test_unknown_task_and_missing_tokenizer(run, place: Path) -> None:  # type: ignore[no-untyped-def]
    from dolmino_cli.errors import ConfigError

    with pytest.raises(ConfigError, match="has no task 'gsm8k_cot_llama2'"):
        harness = Harness(EvalRequest(checkpoint="x", tasks=("gsm8k_cot-star",), items=str(place / "test.jsonl")).asked())
        assert harness.chosen["gsm8k_cot"].places == STAR
        harness._load("gsm8k_cot_llama2")
    (place / "model" / "tokenizer.json").unlink()
    assert "has no tokenizer" in run().error


def test_real_items(shared_data: Path, tmp_path: Path) -> None:
    """GSM8K as published: the items of GSM*, asked by the harness's own prompt with examples of the train split."""
    files = {split: str(shared_data / "evals" / "normalized" / f"gsm8k.{split}.jsonl.gz") for split in ("test", "train")}
    request = EvalRequest(checkpoint="x", tasks=("gsm8k-star",), limit=2, shots=1, items=files["test"], examples=files["train"])
    harness = Harness(request.asked())
    assert harness.chosen["gsm8k"].places == STAR[:2]
    (result,) = harness.evaluate(tiny_checkpoint(tmp_path / "model"), batch_size="2", device="cpu", options={"max_gen_toks": 2})
    assert (result.items, result.shots, result.version) == (2, 1, "3.0")
    assert {score.metric: score.value for score in result.scores} == {
        "exact_match,strict-match": 0,
        "exact_match,flexible-extract": 0,
    }
