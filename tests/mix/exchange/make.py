"""The pools that OLMo 2 was mid-trained on, in the three forms that configurations of them have.

Made from the published lists' facts: the folders, files per folder, tokens per block and how often a block is listed
(allenai/OLMo, configs/official-1124 and official-0425). Which files come in which order is ours.
"""

from __future__ import annotations

import functools
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dolmino_cli.mix.exchange.import_mix import Imported, Wishes, import_mix

HOST = "http://olmo-data.org/preprocessed/"
FLAN = "tulu_flan/v1-FULLDECON-HARD-TRAIN-60M-shots_all-upweight_1-dialog_false-sep_rulebased/allenai/dolma2-tokenizer/"
TWO_STUDENTS = ("tinyGSM/mind-2students/", "dolma2-tokenizer/", 92, "3.41B")
# (what the comment says, folder below it, files, tokens): once each in the 50B pool.
ONCE = (
    ("personahub_math_v5_regen_149960/dolma2-tokenizer/", "", 15, "191.58M"),
    ("basic_math_mj/dolma2-tokenizer", "/", 36, "9.03M"),
    ("gsm8k-synth/resample_v1_6x/dolma2-tokenizer/", "", 1, "1.08M"),
    ("gsm_MIND/clean_stop/dolma2-tokenizer/", "", 92, "17.06M"),
    ("gsm8k/v0_main_train/allenai/dolma2-tokenizer/", "", 1, "1.23M"),
    ("gsm8k/v0_socratic_train/allenai/dolma2-tokenizer/", "", 1, "1.51M"),
    ("owm-filtered-math/metamath/", "", 1, "84.22M"),
    ("basic_math_mj/multiadd/dolma2-tokenizer/", "", 6, "2.21M"),
    ("mathcoder2-synthmath/ajibawa-2023/dolma2-tokenizer/", "", 10, "782.58M"),
    ("mathcoder2-synthmath/mathcoder2-synthmath/filtered-math/dolma2-tokenizer/", "", 92, "3.09B"),
    ("tinyGSM/mind/dolma2-tokenizer/", "", 92, "3.06B"),
    TWO_STUDENTS,
    ("stackexchange/v1_dedupe/allenai/dolma2-tokenizer/", "", 16, "1.26B"),
    ("olmo-mix/danyh-compiled-v1_7/documents/wiki/allenai/dolma2-tokenizer/", "", 2, "3.66B"),
    ("tulu-3-sft-personas-math-grade/dolma2-tokenizer/", "", 5, "21.80M"),
    ("tulu_v3.9_personahub_math_interm_algebra_20k/dolma2-tokenizer/", "", 2, "19.74M"),
)
PES2O, DCLM = "pes2o/allenai/dolma2-tokenizer/", "dclm/v0_rep32_ft7percentile_fw2"
DCLM_BELOW = "/documents/allenai/dolma2-tokenizer/0001/"
POOLS = {
    "50B": (*ONCE, (FLAN, "", 46, "8.54B"), (PES2O, "", 1, "3.01B"), (DCLM, DCLM_BELOW, 65, "24.31B")),
    "100B": (*ONCE, *ONCE, (FLAN, "", 92, "17.08B"), (PES2O, "", 4, "9.76B"), TWO_STUDENTS, (DCLM, DCLM_BELOW, 137, "51.47B")),
    "300B": (*ONCE * 4, *((FLAN, "", 92, "17.08B"),) * 2, (PES2O, "", 26, "58.55B"), (DCLM, DCLM_BELOW, 410, "156.26B")),
}
RUNS = {  # seed, sequences per batch, tokens, steps
    "50B": (42, 1024, "50e9T", 11931),
    "100B": (1110, 2048, "100e9T", 11931),
    "300B": (2662, 2048, "300e9T", 35773),
}


def blocks(pool: str) -> Iterator[tuple[str, list[str]]]:
    """Every block's comment and files, in an order of our own."""
    shuffle = random.Random(pool)
    for comment, below, files, tokens in POOLS[pool]:
        paths = [f"{HOST}{comment}{below}part-{number:02d}-00000.npy" for number in range(files)]
        shuffle.shuffle(paths)
        yield f"#SOURCE: {HOST}{comment} ({tokens}T)", paths


def paths_of(pool: str) -> list[str]:
    """Every line's path."""
    return [path for _, paths in blocks(pool) for path in paths]


def write_olmo(folder: Path, pool: str, *, comments: bool = True) -> Path:
    """An OLMo configuration of the pool."""
    seed, batch, duration, steps = RUNS[pool]
    lines = [f"run_name: OLMo2-stage2-{pool}", f"seed: {seed}", "dry_run: false", "", "model:", "  d_model: 5120"]
    lines += ["  max_sequence_length: 4096", "  vocab_size: 100278", "", "optimizer:", "  name: adamw", "  learning_rate: 9e-5"]
    lines += ["  betas:", "  - 0.9", "  - 0.95", "", "scheduler:", "  units: steps", "  name: linear_with_warmup"]
    lines += ["  t_warmup: 0", "  alpha_f: 0", "", "tokenizer:", "  identifier: tokenizers/allenai_dolma2.json", ""]
    lines += [f"max_duration: {duration}", f"stop_at: {steps}  # ten more", f"global_train_batch_size: {batch}"]
    lines += ["device_eval_batch_size: ${device_train_microbatch_size}", "", "data:", "  memmap_dtype: uint32", "  paths:"]
    for comment, paths in blocks(pool):
        lines += [f"    {comment}"] if comments else []
        lines += [f"    - {path}" for path in paths]
    return write(folder / f"stage2-{pool}.yaml", lines)


def write_lines(folder: Path, pool: str) -> Path:
    """The pool as OLMo-core's first Dolmino lists: bare paths below the host."""
    lines = []
    for comment, paths in blocks(pool):
        lines += [comment, *(path.removeprefix("http://olmo-data.org/") for path in paths)]
    return write(folder / f"dolmino{pool}.txt", lines)


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


@functools.cache
def imported(pool: str) -> Imported:
    """The OLMo configuration of the pool, read once for all tests."""
    with tempfile.TemporaryDirectory() as folder:
        return import_mix(str(write_olmo(Path(folder), pool)), Wishes())
