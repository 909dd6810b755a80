"""Raw shards to a sampled mix on real text: local files and a real S3 server give the same bytes."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dolmino_cli.cli.main import app
from tests.s3_server import S3Server

SOURCES = {
    "dclm": [
        "web/openwebtext-0000.jsonl.zst",
        "web/c4-0000.jsonl.gz",
        "web/email_spam-0000.jsonl.zst",
        "web/18f_blog-0000.parquet",
    ],
    "wiki": ["wiki/enwiki-2021-0000.jsonl.zst", "wiki/enwiki-history-0000.jsonl.zst"],
    "math": ["math/planetmath-0000.jsonl.zst", "math/metamath/nf-0000.jsonl.zst"],
}
RECIPE = """
name: {source}
stages:
  - repeated_ngrams: {{tokenizer: {tokenizer}, into: repetitions, count_from: 16}}
  - keep: {{score: repetitions, below: 32, reason: repeated_ngrams}}
  - fasttext: {{model: {model}, label: __label__hq, into: quality}}
  - keep: {{score: quality, at_least: 0.9, reason: quality}}
"""
MIX = """
name: real
tokenizer: allenai/dolma2-tokenizer
seed: 42
sources:
  dclm: {source_percent: 50}
  wiki: {source_percent: 100}
  math: {source_percent: 250}
"""


def dolmino(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def spine(inputs: str, outputs: str, *, workers: int, recipes: Path, mix: Path, tokenizer: Path) -> None:
    for source in SOURCES:
        filtered = f"{outputs}/filtered/{source}"
        dolmino("filter", recipes / f"{source}.yaml", f"{inputs}/{source}", "-o", filtered, "-w", workers)
        dolmino(
            "retokenize",
            filtered,
            "-t",
            tokenizer,
            "-o",
            f"{outputs}/tokens/{source}",
            "-w",
            workers,
            "--tokens-per-file",
            500_000,
        )
    dolmino("sample", mix, "--arrays", f"{outputs}/tokens", "-o", f"{outputs}/mix", "-w", workers)


def results(folder: Path) -> dict[str, str]:
    """sha256 of all that must not depend on where things lie or when they ran."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    left_out = ("ledger/", "run.json", ".lock.json")
    chosen = {name: path for name, path in files.items() if not any(part in name for part in left_out)}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in chosen.items()}


@pytest.mark.slow
def test_local_and_s3_give_the_same_mix(
    shared_data: Path, quality_model: Path, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = shared_data / "tokenizers/allenai_dolma2.json"
    for source, names in SOURCES.items():
        for name in names:
            target = tmp_path / "raw" / source / Path(name).name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shared_data / name, target)
            shutil.copyfile(target, s3.file(f"spine/raw/{source}/{target.name}"))
        (tmp_path / f"{source}.yaml").write_text(RECIPE.format(source=source, tokenizer=tokenizer, model=quality_model))
    mix = tmp_path / "real.yaml"
    mix.write_text(MIX)

    spine(str(tmp_path / "raw"), str(tmp_path / "out"), workers=1, recipes=tmp_path, mix=mix, tokenizer=tokenizer)
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    spine(s3.uri("spine/raw"), s3.uri("spine/out"), workers=2, recipes=tmp_path, mix=mix, tokenizer=tokenizer)

    local = results(tmp_path / "out")
    assert local == results(s3.file("spine/out"))
    kinds = {kind: sum(f"{kind}/" in name for name in local) for kind in ("documents", "attributes", "tokens", "mix")}
    assert kinds["documents"] == kinds["attributes"] == sum(map(len, SOURCES.values()))
    assert kinds["tokens"] > 6
    assert kinds["mix"] >= 3
    check_filter(tmp_path / "out")
    check_mix(tmp_path / "out")


def check_filter(out: Path) -> None:
    """The waterfall adds up, junk went for its reason, and kept lines are input lines byte for byte."""
    reasons: dict[str, int] = {}
    for source in SOURCES:
        run = json.loads((out / f"filtered/{source}/run.json").read_text())
        counts = run["counts"]
        assert counts["in"] == counts["kept"] + sum(counts["dropped"].values()) + counts["quarantined"]
        for reason, count in counts["dropped"].items():
            reasons[f"{source} {reason}"] = count
    assert reasons["math repeated_ngrams"] == 13  # the section banners of nf.mm, counted in the data's README
    assert reasons["dclm repeated_ngrams"] == 3  # in email_spam
    spam = pq.read_table(out / "filtered/dclm/attributes/email_spam-0000.parquet").to_pydict()
    prose = pq.read_table(out / "filtered/dclm/attributes/openwebtext-0000.parquet").to_pydict()
    assert sum(spam["kept"]) / len(spam["kept"]) < 0.2 < 0.7 < sum(prose["kept"]) / len(prose["kept"])


def check_mix(out: Path) -> None:
    """Every source's share is met within one document, and the arrays hold what the lock says."""
    lock = json.loads((out / "mix/real.lock.json").read_text())
    taken = 0
    for name, share in (("dclm", 0.5), ("wiki", 1.0), ("math", 2.5)):
        source = lock["sources"][name]
        longest = max(longest_document(out / "tokens" / name, file["name"]) for file in source["files"])
        assert 0 <= source["taken_tokens"] - share * source["tokens"] < longest
        taken += source["taken_tokens"]
    parts = [np.memmap(out / "mix" / file["name"], dtype=np.uint32, mode="r") for file in lock["outputs"]]
    assert sum(map(len, parts)) == taken
    assert all(int(part[-1]) == 100257 for part in parts)


def longest_document(folder: Path, name: str) -> int:
    tokens = np.memmap(folder / name, dtype=np.uint32, mode="r")
    ends = np.flatnonzero(tokens == 100257)
    return int(np.diff(ends, prepend=-1).max())
