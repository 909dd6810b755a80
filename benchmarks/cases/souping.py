"""Soup: the mean of three checkpoints, against the script that one writes with transformers."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys

from bench import HERE, Bench
from measure import BenchmarkError, Contender, Job, run_commands
from tables import Bar, Section, find

OURS, SCRIPT = "dolmino soup", "transformers script"
INGREDIENTS = 3
SHAPE = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 8, "vocab_size": 100_352}
HEADER = ("command", "MB read", "wall s (range)", "MB/s", "peak MB")


def measure(bench: Bench) -> Section:
    """Both write the same numbers; ours also reads everything once more for the sha256 that it records."""
    folder = bench.output / "runs" / "souping"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    code = (
        "import sys, json, torch; from transformers import AutoModelForCausalLM, Olmo2Config;"
        " config = Olmo2Config(**json.loads(sys.argv[1]), tie_word_embeddings=False, eos_token_id=None, pad_token_id=None,"
        " bos_token_id=None); torch.manual_seed(int(sys.argv[2]));"
        " AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(sys.argv[3])"
    )
    makers = [[sys.executable, "-c", code, json.dumps(SHAPE), str(n), str(folder / str(n))] for n in range(INGREDIENTS)]
    run_commands(makers, cores=1, environment=bench.environment, log=folder / "log")
    timings = bench.compare(_contenders(bench), lambda contender: [(1, 1)])
    megabytes = sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 1e6
    ours, script = (find(timings, name, 1, 1) for name in (OURS, SCRIPT))
    rows = []
    for timing in (ours, script):
        spread = f"{timing.median:.2f} ({min(timing.seconds):.2f}-{max(timing.seconds):.2f})"
        rows.append((timing.name, f"{megabytes:.0f}", spread, f"{megabytes / timing.median:.0f}", f"{timing.peak_mb:.0f}"))
    bars = [
        Bar(what=f"{OURS} / {SCRIPT}, whole command, 1 core", value=script.median / ours.median, unit="x"),
        Bar(what=f"peak memory, {SCRIPT} / {OURS}", value=script.peak_mb / ours.peak_mb, unit="x"),
    ]
    note = f"{INGREDIENTS} checkpoints of bf16, random weights; the two outputs hold the same numbers, to the bit."
    return Section(title="Soup", header=HEADER, rows=rows, bars=bars, notes=[note])


def _contenders(bench: Bench) -> list[Contender]:
    folder = bench.output / "runs" / "souping"
    ingredients = [str(folder / str(number)) for number in range(INGREDIENTS)]

    def ours(job: Job) -> list[list[str]]:
        return [[bench.dolmino, "soup", *ingredients, "--output", f"{job.output}/soup"]]

    def script(job: Job) -> list[list[str]]:
        return [[sys.executable, str(HERE / "peers" / "mean_script.py"), f"{job.output}/soup", *ingredients]]

    def check(job: Job) -> object:
        from safetensors import safe_open

        digest = hashlib.sha256()
        with safe_open(job.output / "soup" / "model.safetensors", framework="pt") as file:
            for name in sorted(file.keys()):
                digest.update(file.get_tensor(name).view(-1).contiguous().float().numpy().tobytes())
        answers = folder / "sha256"
        if answers.exists() and answers.read_text() != digest.hexdigest():
            raise BenchmarkError(f"{job.output} holds other numbers than the contender before it")
        answers.write_text(digest.hexdigest())
        return digest.hexdigest()

    environment = {**bench.environment, "OMP_NUM_THREADS": "1"}
    return [
        Contender(name=OURS, commands=ours, check=check, environment=environment),
        Contender(name=SCRIPT, commands=script, check=check, environment=environment),
    ]
