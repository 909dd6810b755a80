"""From real text to a soup: documents, tokens, a mix, three seeds, their mean, which transformers loads; and a sweep of plans."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("transformers", reason="needs the extra [train]")

import torch
import zstandard
from transformers import AutoModelForCausalLM, AutoTokenizer, Olmo2Config, Olmo2ForCausalLM, PreTrainedTokenizerFast

from tests.cli.run import dolmino

SEEDS = (42, 42069, 666)
WINDOW, BATCH = 32, 8
RUN = f"""
name: story
batch_sequences: {BATCH}
sequence_length: {WINDOW}
steps: 4
learning_rate: {{start: 0.01, end: 0.0}}
seed: 0
hardware: {{precision: fp32, compile: false, micro_batch_sequences: {BATCH}}}
saving: {{export_dtype: fp32}}
watch: {{every_steps: 4}}
"""


def opened(path: Path, packed: BinaryIO) -> TextIO:
    return gzip.open(packed, "rt") if path.suffix == ".gz" else zstandard.open(packed, "rt")


@pytest.fixture(scope="module")
def place(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real documents, those held out beside them; a tokenizer that people use; a tiny model with its vocabulary."""
    place = tmp_path_factory.mktemp("story")
    shards = {"c4": shared_data / "web" / "c4-0000.jsonl.gz", "planetmath": shared_data / "math" / "planetmath-0000.jsonl.zst"}
    for name, path in shards.items():
        with path.open("rb") as packed, opened(path, packed) as lines:
            documents = [json.loads(next(lines)) for _ in range(60)]
        documents = [{**document, "text": document["text"][:500]} for document in documents]
        (place / name).mkdir()
        (place / name / "documents.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents[:50]))
        (place / f"held-out-{name}.txt").write_text("\n".join(document["text"] for document in documents[50:]))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(shared_data / "tokenizers" / "allenai_gpt-neox-olmo-dolma-v1_5.json"), eos_token="<|endoftext|>"
    )
    torch.manual_seed(1)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id}
    config = Olmo2Config(vocab_size=50304, max_position_embeddings=256, **sizes, **ends)
    Olmo2ForCausalLM(config).save_pretrained(place / "random")
    tokenizer.save_pretrained(place / "random")
    return place


def step(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    done = dolmino(monkeypatch, capsys, *arguments)
    assert done.code == 0, done.err
    return done.out


def losses(folder: Path, text: str) -> float:
    """Cross-entropy of a text under a checkpoint, by transformers alone, in windows of the training's length."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(text, return_tensors="pt").input_ids[0]
    windows = ids[: len(ids) // WINDOW * WINDOW].view(-1, WINDOW)[:16]
    with torch.no_grad():
        return float(model(input_ids=windows, labels=windows).loss)


def test_three_seeds_their_soup_and_a_sweep(place: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def run(*arguments: object) -> str:
        return step(place, monkeypatch, capsys, *arguments)

    tokenizer_options = ("-t", place / "random" / "tokenizer.json", "--eos", "<|endoftext|>")
    for name in ("c4", "planetmath"):
        run("retokenize", place / name, *tokenizer_options, "-o", place / "tokens" / name)
    (place / "mix.yaml").write_text(
        "name: story\ntokenizer: olmo\nseed: 7\nsources:\n  c4: {source_percent: 60}\n  planetmath: {source_percent: 100}\n"
    )
    run("sample", place / "mix.yaml", "--arrays", place / "tokens", "-o", place / "mix", "--sequence-length", WINDOW)
    (place / "run.yaml").write_text(RUN)
    stage_1 = ("--seed", 1, "--steps", 12, "--set", "learning_rate.start=0.05")
    run("train", place / "run.yaml", "-m", place / "mix", "-c", place / "random", "-o", place / "stage-1", *stage_1)
    for seed in SEEDS:
        output = place / f"seed-{seed}"
        run("train", place / "run.yaml", "-m", place / "mix", "-c", place / "stage-1" / "model", "-o", output, "--seed", seed)
    runs = [place / f"seed-{seed}" for seed in SEEDS]
    assert "0.3333" in run("soup", *runs, "-o", place / "soup")

    held_out = (place / "held-out-c4.txt").read_text() + (place / "held-out-planetmath.txt").read_text()
    alone = [losses(folder / "model", held_out) for folder in runs]
    soup, start = losses(place / "soup", held_out), losses(place / "stage-1" / "model", held_out)
    assert len(set(alone)) == 3  # three orders, three models
    assert all(loss < start for loss in alone)
    assert min(alone) - 0.1 < soup < max(alone) + 0.01

    model, tokenizer = AutoModelForCausalLM.from_pretrained(place / "soup"), AutoTokenizer.from_pretrained(place / "soup")
    prompt = tokenizer("The sum of two numbers", return_tensors="pt")
    written = model.generate(**prompt, max_new_tokens=8, do_sample=False)
    assert written.shape[1] == prompt.input_ids.shape[1] + 8 or int(written[0, -1]) == tokenizer.eos_token_id
    assert tokenizer.decode(written[0]).startswith("The sum of two numbers")
    keys = model.state_dict()
    heads = [AutoModelForCausalLM.from_pretrained(folder / "model").state_dict()["lm_head.weight"].numpy() for folder in runs]
    np.testing.assert_allclose(keys["lm_head.weight"].numpy(), np.mean(heads, 0), rtol=1e-6, atol=1e-9)
    sweep(place, run, monkeypatch)


def sweep(place: Path, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A microanneal of the same arrays. The trainer runs in a process of its own, and a command scores what it exported."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    batch = ("--batch-sequences", 4 * BATCH, "--sequence-length", WINDOW)
    mix = ("--source", "planetmath=0.25", "--web", "c4", "--ratio", 20, "--arrays", place / "tokens")
    run("microanneal", "plan", *mix, *batch, "-o", place / "quarter.yaml")
    start = ("--run", place / "run.yaml", "-c", place / "stage-1" / "model", "--arrays", place / "tokens")
    count = ("--eval", "sh -c 'ls $0 | wc -l' {checkpoint}")
    assert "quarter" in run("microanneal", "run", place / "quarter.yaml", *start, *count, "-o", place / "sweep")
    (result,) = json.loads((place / "sweep" / "results.json").read_text()).values()
    lock = json.loads((place / "sweep" / "quarter" / "mix" / "quarter.lock.json").read_text())
    assert result["steps"] == sum(part["windows"] for part in lock["outputs"]) // (4 * BATCH)
    assert result["passes"] == {"planetmath": pytest.approx(0.25, abs=0.03)}
    assert result["loss_by_source"].keys() == {"c4", "planetmath"}
    assert result["scores"]["metric"] > 3
