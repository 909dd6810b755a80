"""`dolmino mix lock | verify | diff` as the shell runs them: what they print, and what they end with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.run import Outcome, dolmino
from tests.mix.make import documents_of, write_arrays, write_manifest
from tests.s3_server import S3Server

Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs verbs in a folder with tokens/ and small.yaml."""
    monkeypatch.chdir(tmp_path)
    write_arrays("tokens/web", documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w"), groups=2)
    write_arrays("tokens/math/gsm8k", documents_of(5, 6, 7, 8, 9, prefix="m"))
    write_arrays("tokens/math/tulu", documents_of(9, 9, prefix="t"))
    write_manifest(tmp_path / "small.yaml", **{"web": "source_percent: 30", "math/gsm8k": "tokens: 60", "math/tulu": "tokens: 9"})
    return lambda *arguments: dolmino(monkeypatch, capsys, *arguments)


def locked(run: Run) -> Outcome:
    return run("mix", "lock", "small.yaml", "--arrays", "tokens", "-o", "git/small.lock.json", "--full", "--sequence-length", 8)


def test_lock_then_sample_then_verify(run: Run) -> None:
    outcome = locked(run)
    assert outcome.code == 0, outcome.err
    assert "11 input files of" in outcome.out and "are what their arrays.json say, by sha256" in outcome.out
    assert "small: 284 tokens selected" in outcome.out and "locked, not yet sampled: git/small.lock.json" in outcome.out
    assert locked(run).code == 0  # the same lock again
    assert run("mix", "verify", "git/small.lock.json").err.startswith("note: the lock has no outputs yet")
    outcome = run("mix", "verify", "git/small.lock.json", "--outputs-only")
    assert outcome.code == 2 and "make them with `dolmino sample git/small.lock.json`" in outcome.error
    assert run("sample", "git/small.lock.json", "-o", "mix").code == 0
    outcome = run("mix", "verify", "mix", "--full", "-w", 2, "--manifest", "small.yaml")
    assert outcome.code == 0, outcome.out + outcome.err
    assert outcome.out.startswith("nothing differs from the lock: 16 files, ") and "(16 by sha256)" in outcome.out
    assert "16/16 files" in outcome.err
    outcome = run("mix", "verify", "mix")
    assert outcome.code == 0 and "(10 by sha256, 6 by size; --full reads those too)" in outcome.out


def test_verify_names_what_differs_and_ends_with_1(run: Run) -> None:
    assert locked(run).code == 0 and run("sample", "git/small.lock.json", "-o", "mix").code == 0
    Path("mix/part-00000.npy").write_bytes(b"short")
    Path("tokens/web/arrays.json").unlink()
    outcome = run("mix", "verify", "mix")
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert lines[0].startswith("input of web tokens/web/arrays.json: missing; the lock has it, sha256 ")
    assert lines[1] == "output mix/part-00000.npy: 5 bytes; the lock says 568"
    assert lines[2] == "2 differences from the lock in 16 files"
    assert run("mix", "verify", "mix", "--inputs-only").out.splitlines()[-1] == "1 difference from the lock in 11 files"
    assert run("mix", "verify", "mix", "--inputs-only", "--outputs-only").code == 2


def test_lock_refuses_what_is_not_right_and_writes_nothing(run: Run) -> None:
    outcome = run("mix", "lock", "small.yaml", "--arrays", "tokens", "-o", "git/small.lock.json", "--dry-run")
    assert outcome.code == 0 and outcome.out.endswith("nothing was written\n") and not Path("git").exists()
    outcome = run("mix", "lock", "small.yaml", "--arrays", "tokens", "-o", "git/small.json")
    assert outcome.code == 2 and "give a path that ends in NAME.lock.json" in outcome.error
    array = next(Path("tokens/web").glob("*.npy"))
    array.write_bytes(bytes(reversed(array.read_bytes())))
    outcome = locked(run)
    assert outcome.code == 1 and f"input of web {array}: sha256 is" in outcome.out and not Path("git").exists()
    Path("git").mkdir()
    Path("git/small.lock.json").write_text("{}")
    outcome = run("mix", "lock", "small.yaml", "--arrays", "tokens", "-o", "git/small.lock.json")
    assert outcome.code == 2 and "is another lock; delete it" in outcome.error
    outcome = run("mix", "lock", "git/small.lock.json", "--arrays", "tokens", "-o", "b.lock.json")
    assert outcome.code == 2 and "is a lock already" in outcome.error


def test_diff_as_a_table_as_json_and_as_an_exit_code(run: Run) -> None:
    assert locked(run).code == 0
    write_manifest(Path("other.yaml"), name="other", web="source_percent: 30", math="tokens: 75")
    shares = {"web": "source_percent: 30", "math/gsm8k": "tokens: 70", "math/tulu": "tokens: 9"}
    write_manifest(Path("more.yaml"), name="more", **shares)
    write_arrays("tokens/math", documents_of(75, prefix="x"))
    outcome = run("mix", "diff", "git/small.lock.json", "more.yaml", "--arrays", "tokens")
    assert outcome.code == 0, outcome.err
    cells = [[cell.strip() for cell in row.split("│")[1:-1]] for row in outcome.out.splitlines() if row.startswith("│")]
    assert [row[:4] for row in cells] == [
        ["web", "207", "207", ""],
        ["math", "69", "79", "+10"],
        ["gsm8k", "60", "70", "+10"],
        ["tulu", "9", "9", ""],
        ["total", "276", "286", "+10"],
    ]
    assert run("mix", "diff", "git/small.lock.json", "more.yaml", "--arrays", "tokens", "--exit-code").code == 1
    assert run("mix", "diff", "git/small.lock.json", "small.yaml", "--arrays", "tokens", "--exit-code").code == 0
    shown = json.loads(run("mix", "diff", "small.yaml", "other.yaml", "--arrays", "tokens", "--json").out)
    assert [(row["name"], row["tokens_difference"]) for row in shown["rows"]] == [("web", 0), ("math", 6)]


def test_a_mix_that_is_there_is_called_identical_only_where_its_own_lock_says_so(run: Run) -> None:
    assert locked(run).code == 0
    again = ("sample", "git/small.lock.json", "-o", "mix", "--lock", "git/small.lock.json")
    assert run(*again).code == 0
    part = Path("mix/part-00000.npy")
    part.write_bytes(bytes(reversed(part.read_bytes())))
    outcome = run(*again)  # sizes do not tell
    assert outcome.code == 0 and "identical to the lock" not in outcome.out
    assert "complete by the sizes of its files; `dolmino mix verify mix --full` reads them" in outcome.out
    own = Path("mix/small.lock.json")
    own.write_text(own.read_text().replace('"documents_sha256": "', '"documents_sha256": "0'))
    outcome = run("sample", "git/small.lock.json", "-o", "mix")
    assert outcome.code == 1 and "differs from the lock: documents_sha256 is 0" in outcome.error


def test_a_second_lock_is_refused_before_the_work_where_it_is_another_file(run: Run) -> None:
    sample = ("sample", "small.yaml", "--arrays", "tokens", "-o", "mix", "--lock")
    manifest = Path("small.yaml").read_text()
    outcome = run(*sample, "small.yaml")
    assert outcome.code == 2 and "--lock 'small.yaml' is no lock's name" in outcome.error
    assert Path("small.yaml").read_text() == manifest
    Path("file").write_text("")
    assert run(*sample, "file/small.lock.json").code == 1
    assert run("mix", "lock", "small.yaml", "--arrays", "tokens", "--scale", 0.5, "-o", "half.lock.json").code == 0
    outcome = run(*sample, "half.lock.json")
    assert outcome.code == 2 and "half.lock.json is another mix's lock: scale (0.5 in the lock, 1.0 now)" in outcome.error
    assert not Path("mix").exists()


def test_a_source_of_which_nothing_is_taken_is_named_before_the_work(run: Run) -> None:
    outcome = run("sample", "small.yaml", "--arrays", "tokens", "-o", "mix", "--scale", 0.01)
    assert outcome.code == 0, outcome.err
    assert "note: nothing is taken of math/tulu: at scale 0.01 less than half a token is left of it" in outcome.err


def test_a_lock_on_s3_makes_the_mix(run: Run, s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOLMINO_CACHE", str(tmp_path / "cache"))
    lock = s3.uri("locks/small.lock.json")
    outcome = run("mix", "lock", "small.yaml", "--arrays", "tokens", "-o", lock)
    assert outcome.code == 0 and f"make the mix with: dolmino sample {lock} -o" in outcome.out
    assert run("sample", lock, "-o", "mix").code == 0
    assert run("mix", "diff", lock, "mix", "--exit-code").code == 0
    assert run("sample", s3.uri("locks/none.lock.json"), "-o", "mix").code == 1
    assert run("mix", "plan", s3.uri("locks")).code == 2


def test_a_bundled_name_is_no_folder_that_is_called_the_same(run: Run) -> None:
    Path("dolmino-1124-50b").mkdir()
    assert run("mix", "diff", "dolmino-1124-50b", "dolmino-1124-50b", "--exit-code").code == 0
    outcome = run("mix", "diff", "./dolmino-1124-50b", "dolmino-1124-50b")
    assert outcome.code == 2 and "holds no lock" in outcome.error


def test_the_same_tokens_under_two_names_are_warned_of(run: Run) -> None:
    shares = {"web": "tokens: 5, arrays: tokens/math/tulu", "math/tulu": "tokens: 9"}
    write_manifest(Path("small.yaml"), **shares)
    said = "the same tokens are counted 2 times: part-00000-00000.npy of web, part-00000-00000.npy of math/tulu"
    Path("tokens/web").rename("tokens/other")
    assert f"warning: {said}" in run("mix", "plan", "./small.yaml", "--arrays", "tokens").out
    assert f"note: {said}" in run("sample", "small.yaml", "--arrays", "tokens", "-o", "mix").err
