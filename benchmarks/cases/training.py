"""Train: steps of a small model on one CPU core in fp32, against the loop that one writes with transformers.

What a GPU does is measured by benchmarks/gpu/.
"""

from __future__ import annotations

import json
import shutil
import sys

from bench import HERE, SMALL, Bench
from corpus import EOS_TOKEN
from measure import BenchmarkError, Contender, Job, run_commands
from tables import Bar, Section, Steady, ends, steady

OURS, LOOP = "dolmino train", "transformers loop"
FEW, MANY = 1, 3  # times STEPS
STEPS, LENGTH, BATCH, RATE, SEED = 5, 256, 2, 1e-3, 42
HEADER = ("command", "steps", "tokens", "wall s (range)", "tokens/s, steady", "start and end, s", "peak MB")
SHAPE = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 4}


def measure(bench: Bench) -> Section:
    """Both train the same weights on the same windows; their losses after the last step agree."""
    _make(bench)
    timings = bench.compare(_contenders(bench), lambda contender: [(FEW, 1), (MANY, 1)])
    amounts = {count: count * STEPS * BATCH * LENGTH / 1e6 for count in (FEW, MANY)}
    rows, paces = [], {}
    for name in (OURS, LOOP):
        few, many = ends(timings, name, 1)
        pace = paces[name] = steady(few, many, amounts[FEW], amounts[MANY])
        spread = f"{many.median:.2f} ({min(many.seconds):.2f}-{max(many.seconds):.2f})"
        apart = _cells(pace)
        rows.append((name, str(MANY * STEPS), f"{amounts[MANY] * 1e6:,.0f}", spread, *apart, f"{many.peak_mb:.0f}"))
    ours, loop = paces[OURS], paces[LOOP]
    bars = []
    if ours and loop:
        ratio = ours.mb_per_second / loop.mb_per_second
        bars.append(Bar(what=f"{OURS} / {LOOP}, steady, 1 core, fp32", value=ratio, unit="x"))
    note = f"{BATCH} windows of {LENGTH} tokens a step, one at a time in ours, together in the loop; OLMo 2 shape {SHAPE}."
    return Section(title="Train (CPU)", header=HEADER, rows=rows, bars=bars, notes=[note])


def _cells(pace: Steady | None) -> tuple[str, str]:
    return (f"{pace.mb_per_second * 1e6:,.0f}", f"{pace.start_up_seconds:.1f}") if pace else ("noise", "noise")


def _make(bench: Bench) -> None:
    """A mix of the input's tokens, and a checkpoint of random weights with its vocabulary."""
    folder = bench.output / "runs" / "training"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    arrays = folder / "tokens"
    retokenize = [bench.dolmino, "retokenize", str(bench.inputs.folder(SMALL)), "--tokenizer", str(bench.inputs.tokenizer)]
    retokenize += ["--output", str(arrays), "--eos", EOS_TOKEN]
    run_commands([retokenize], cores=1, environment=bench.environment, log=folder / "log")
    lines = ["name: trained", f"tokenizer: {json.dumps(str(bench.inputs.tokenizer))}", "seed: 42", "sources:"]
    lines += [f"  real: {{arrays: {json.dumps(str(arrays))}, tokens: 200000}}", ""]
    (folder / "trained.yaml").write_text("\n".join(lines), encoding="utf-8")
    sample = [bench.dolmino, "sample", str(folder / "trained.yaml"), "--output", str(folder / "mix")]
    code = (
        "import sys, json; from transformers import AutoModelForCausalLM, Olmo2Config;"
        " shape, vocabulary, output = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3];"
        " config = Olmo2Config(**shape, vocab_size=vocabulary, max_position_embeddings=4096, tie_word_embeddings=False,"
        " eos_token_id=None, pad_token_id=None, bos_token_id=None);"
        " AutoModelForCausalLM.from_config(config).save_pretrained(output)"
    )
    vocabulary = json.loads((arrays / "arrays.json").read_text())["tokenizer"]["vocabulary_size"]
    make = [sys.executable, "-c", code, json.dumps(SHAPE), str(vocabulary), str(folder / "checkpoint")]
    run_commands([sample, make], cores=1, environment=bench.environment, log=folder / "log")


def _contenders(bench: Bench) -> list[Contender]:
    folder = bench.output / "runs" / "training"

    def ours(job: Job) -> list[list[str]]:
        sets = {
            "shape": "null",
            "sequence_length": LENGTH,
            "batch_sequences": BATCH,
            "learning_rate.start": RATE,
            "loss.z_loss": 0.0,
            "loss.repeated_windows": "keep",
            "saving.every_steps": 1000,
            "hardware.head_chunk_tokens": LENGTH,
        }
        options = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
        places = ["--mix", str(folder / "mix"), "--checkpoint", str(folder / "checkpoint"), "--output", f"{job.output}/run"]
        return [[bench.dolmino, "train", "tiny", *places, "--seed", str(SEED), "--steps", str(job.shards * STEPS), *options]]

    def loop(job: Job) -> list[list[str]]:
        numbers = [str(number) for number in (LENGTH, BATCH, job.shards * STEPS, RATE, SEED)]
        script = str(HERE / "peers" / "plain_training_loop.py")
        part = str(folder / "mix" / "part-00000.npy")
        words = [sys.executable, script, str(folder / "checkpoint"), part, *numbers, f"{job.output}/model"]
        return [["sh", "-c", '"$@" > "$0/loss"', str(job.output), *words]]

    def our_loss(job: Job) -> object:
        lines = (job.output / "run" / "metrics" / "steps.jsonl").read_text().splitlines()
        return _agreed(json.loads(lines[-1])["loss"], len(lines), job)

    def their_loss(job: Job) -> object:
        return _agreed(float((job.output / "loss").read_text()), job.shards * STEPS, job)

    environment = {**bench.environment, "OMP_NUM_THREADS": "1"}
    return [
        Contender(name=OURS, commands=ours, check=our_loss, environment=environment),
        Contender(name=LOOP, commands=loop, check=their_loss, environment=environment),
    ]


def _agreed(loss: float, steps: int, job: Job) -> float:
    """The last loss, to the digits that sums in another order leave alone."""
    if steps != job.shards * STEPS:
        raise BenchmarkError(f"{steps} steps in {job.output}, {job.shards * STEPS} expected")
    return round(loss, 2)
