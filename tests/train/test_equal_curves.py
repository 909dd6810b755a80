"""A run's curves are those of a plain loop, on any number of ranks, replicas and micro-batches; each term of the loss is seen."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dolmino_cli.train.learning_rate import LearningRate
from dolmino_cli.train.run_file import Run
from tests.train.launched import run_ranks
from tests.train.reference import Curve, reference
from tests.train.tiny import STEPS, step_lines, tiny_run, train_all

TOLERANCE = 1e-5

# What is trained: everything of these that the reference computes is in the first.
TRAINED: dict[str, dict[str, Any]] = {
    "plain": {},
    "counted": {"loss": {"denominator": "counted"}},
    "tokens, constant": {"loss": {"denominator": "tokens"}, "learning_rate": LearningRate(start=3e-3, schedule="constant")},
    "decayed embedding, first rate": {
        "optimizer": {"decay_embeddings": True},
        "learning_rate": LearningRate(start=3e-3, step_offset=0),
    },
}
FEW = 12
# How, by the number of ranks: what, over how many steps, on what hardware.
LAID_OUT: dict[int, list[tuple[str, int, dict[str, Any]]]] = {
    1: [
        ("plain", STEPS, {"micro_batch_sequences": 8}),
        ("counted", FEW, {"micro_batch_sequences": 3}),
        ("tokens, constant", FEW, {"micro_batch_sequences": 1, "reduce_every_micro_batch": False}),
        ("decayed embedding, first rate", FEW, {"micro_batch_sequences": 4}),
    ],
    2: [
        ("plain", STEPS, {"micro_batch_sequences": 4, "activation_checkpointing": "full"}),
        ("plain", FEW, {"micro_batch_sequences": 1}),
        ("counted", FEW, {"micro_batch_sequences": 3, "reduce_every_micro_batch": False}),
    ],
    4: [
        ("plain", STEPS, {"micro_batch_sequences": 2}),
        ("plain", STEPS, {"micro_batch_sequences": 2, "replicas": 2}),
        ("plain", FEW, {"micro_batch_sequences": 1, "replicas": 2}),
        ("counted", FEW, {"micro_batch_sequences": 1, "replicas": 2, "reduce_every_micro_batch": False}),
    ],
}


@pytest.fixture(scope="module")
def expected(tiny_mix: Path, tiny_checkpoint: Path) -> Callable[..., Curve]:
    @functools.cache
    def of(what: str, steps: int = STEPS, **left_out: bool) -> Curve:
        return reference(run_of(what, steps, {}, tiny_mix, tiny_checkpoint, Path("none")), steps, **left_out)

    return of


def run_of(what: str, steps: int, hardware: dict[str, Any], mix: Path, checkpoint: Path, output: Path) -> Run:
    trained = {key: dict(value) if isinstance(value, dict) else value for key, value in TRAINED[what].items()}
    return tiny_run(mix, checkpoint, output, hardware=hardware, steps=steps, **trained)


@pytest.mark.parametrize("world_size", LAID_OUT)
def test_curves_are_the_plain_loops(
    world_size: int, expected: Callable[..., Curve], tiny_mix: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    cases = LAID_OUT[world_size]
    runs = [run_of(*case, tiny_mix, tiny_checkpoint, tmp_path / str(number)) for number, case in enumerate(cases)]
    run_ranks(world_size, train_all, runs, errors=tmp_path / "errors")
    orders = set()
    for (what, steps, hardware), run in zip(cases, runs, strict=True):
        lines = step_lines(Path(str(run.output)))
        curve = expected(what, steps)
        orders.add(tuple(line["windows_sha256"] for line in lines[:FEW]))
        assert [line["objective"] for line in lines] == pytest.approx(curve.objective, abs=TOLERANCE), (what, hardware)
        assert [line["gradient_norm"] for line in lines] == pytest.approx(curve.norm, rel=TOLERANCE * 10), (what, hardware)
    assert len(orders) == 1


@pytest.mark.parametrize(("kind", "tied"), [("Llama", False), ("Qwen2", True), ("Qwen3", False)])
def test_other_models_train_and_export(kind: str, tied: bool, tiny_mix: Path, tmp_path: Path) -> None:
    """The same curve, tied (then the head is the embedding, and not decayed) or not; the same architecture is exported."""
    import transformers

    torch.manual_seed(4)
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=128, max_position_embeddings=128, tie_word_embeddings=tied, **sizes
    )
    getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(tmp_path / "start")
    exported = {"saving": {"export": True, "export_dtype": "fp32"}, "steps": FEW}
    run = tiny_run(tiny_mix, tmp_path / "start", tmp_path / "out", hardware={"micro_batch_sequences": 4}, **exported)
    train_all([run])
    lines, curve = step_lines(tmp_path / "out"), reference(run, FEW)
    assert [line["objective"] for line in lines] == pytest.approx(curve.objective, abs=TOLERANCE)
    assert [line["gradient_norm"] for line in lines] == pytest.approx(curve.norm, rel=TOLERANCE * 10)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model")
    assert type(model).__name__ == f"{kind}ForCausalLM"


def test_bf16_is_near(expected: Callable[..., Curve], tiny_mix: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Arithmetic in bf16 on weights and moments in fp32: the curve within its rounding, and not the fp32 one."""
    run = run_of("plain", FEW, {"micro_batch_sequences": 4, "precision": "bf16"}, tiny_mix, tiny_checkpoint, tmp_path)
    train_all([run])
    objective, plain = [line["objective"] for line in step_lines(tmp_path)], expected("plain", FEW).objective
    assert objective == pytest.approx(plain, rel=0.01)
    assert objective != pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize(
    "left_out",
    [{"z_term": False}, {"masks": False}, {"embedding_decayed": True}, {"schedule": False}],
    ids=lambda left: next(iter(left)),
)
def test_every_term_is_seen(left_out: dict[str, bool], expected: Callable[..., Curve]) -> None:
    """The curves that are found equal above would not be, were this term left out, or the embedding decayed."""
    with_it, without = expected("plain"), expected("plain", **left_out)
    assert max(abs(a - b) for a, b in zip(with_it.objective, without.objective, strict=True)) > 10 * TOLERANCE
