"""All real documents, locked, sampled, killed, deleted and rebuilt: the same bytes each time, and a changed one is found."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dolmino_cli.mix.sampling import write_part
from dolmino_cli.mix.written_parts import WrittenPart
from dolmino_cli.tokens.retokenize import retokenize
from tests.cli.run import Outcome, dolmino
from tests.executors.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
# Source -> share, and which shards it is: every kind of document of the sample data but evaluation sets.
SOURCES = {
    "web": ("source_percent: 60", "web"),
    "flan": ("source_percent: 100", "flan/flan-*.zst"),
    "pes2o": ("source_percent: 150", "academic"),
    "wiki": ("source_percent: 33.3", "wiki"),
    "books": ("tokens: 1_000_000", "books"),
    "math/planetmath": ("source_percent: 250", "math/planetmath-*.zst"),
    "math/gsm8k": ("source_percent: 400", "gsm8k/gsm8k_train.docs.jsonl.gz"),
    "code": ("source_percent: 100", "code/codesearchnet_python.docs.jsonl.zst"),
}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir()) if path.is_file()}


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 16]))


# `dolmino`, whose workers write a few parts and no more.
HANGS = """
from dolmino_cli.mix.sampling import sample
from tests.mix.test_real_mix import write_a_few
if __name__ == "__main__":
    sample.write_part = write_a_few
    from dolmino_cli.cli.main import run
    run()
"""


def write_a_few(task: write_part.PartTask) -> WrittenPart:
    if len(list(Path(task.output.root).glob("part-*.npy"))) >= 3:
        time.sleep(600)
    return write_part.write_part(task)


def kill_half_way(lock: Path, output: Path) -> int:
    """Sample with two workers and kill all of its processes when some parts are there; how many."""
    command = [sys.executable, "-c", HANGS, "sample", str(lock), "-o", str(output), "-w", "2"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True)
    try:
        wait_until(lambda: len(list(output.glob("part-*.npy"))) >= 3)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return len(list(output.glob("part-*.npy")))


@pytest.mark.slow
def test_lock_sample_kill_delete_rebuild_and_find_the_changed_byte(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: object) -> Outcome:
        return dolmino(monkeypatch, capsys, *arguments)

    tokenizer = shared_data / "tokenizers" / "allenai_dolma2.json"
    for name, (_, shards) in SOURCES.items():
        output = str(tmp_path / "tokens" / name)
        retokenize([str(shared_data / shards)], tokenizer=str(tokenizer), output=output, tokens_per_file=500_000)
    shares = "\n".join(f"  {name}: {{{share}}}" for name, (share, _) in SOURCES.items())
    (tmp_path / "real.yaml").write_text(f"name: real\ntokenizer: dolma2\nseed: 42\nsources:\n{shares}\n")

    lock, mix = tmp_path / "git" / "real.lock.json", tmp_path / "mix"
    locked = run(
        "mix", "lock", tmp_path / "real.yaml", "--arrays", tmp_path / "tokens", "-o", lock, "--tokens-per-file", 1_500_000
    )
    assert locked.code == 0, locked.err
    assert run("sample", lock, "-o", mix, "--lock", tmp_path / "sampled.lock.json").code == 0
    wanted = digests(mix)
    parts = json.loads((mix / "real.lock.json").read_text())["outputs"]
    assert sum(part["tokens"] for part in parts) > 20_000_000 and len(wanted) == 4 * len(parts) + 2

    for workers in (2, 4):
        assert run("sample", lock, "-o", tmp_path / "again", "-w", workers).code == 0
        assert digests(tmp_path / "again") == wanted
        shutil.rmtree(tmp_path / "again")
    assert 0 < kill_half_way(lock, tmp_path / "again") < len(parts)
    assert not (tmp_path / "again" / "arrays.json").exists()
    assert run("mix", "verify", tmp_path / "sampled.lock.json", "--mix", tmp_path / "again", "--outputs-only").code == 1
    assert run("sample", lock, "-o", tmp_path / "again").code == 0
    assert digests(tmp_path / "again") == wanted
    shutil.rmtree(mix)
    rebuilt = run("sample", tmp_path / "sampled.lock.json", "-o", mix)
    assert rebuilt.code == 0 and f"identical to the lock: {len(parts)} parts by sha256" in rebuilt.out
    assert digests(mix) == wanted

    assert run("mix", "verify", mix, "--full").code == 0
    shutil.rmtree(tmp_path / "again")
    web = tmp_path / "tokens" / "web"
    outputs = ["part-00002.npy", "part-00003.csv.gz", "part-00004.documents.arrow", "part-00005.repeated.bin", "arrays.json"]
    for path in (
        *(sorted(web.glob(kind))[1] for kind in ("*.npy", "*.csv.gz")),
        web / "arrays.json",
        *(mix / name for name in outputs),
    ):
        flip(path)
        found = run("mix", "verify", mix, "--full").out.splitlines()
        assert len(found) == 2 and f" {path}: sha256 is " in found[0] and found[1].startswith("1 difference ")
        flip(path)
    data = (mix / "part-00002.npy").read_bytes()
    (mix / "part-00002.npy").write_bytes(data[:-4])
    (mix / "part-00003.csv.gz").unlink()
    found = run("mix", "verify", mix).out.splitlines()
    assert [f"{mix}/part-00002.npy: " in found[0], f"{mix}/part-00003.csv.gz: missing" in found[1], len(found)] == [True, True, 3]
