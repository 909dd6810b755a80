"""`dolmino microanneal plan`: the manifest that is written, and what is printed of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.mix.manifest import Source, load
from dolmino_cli.shards import storage
from tests.cli.run import Outcome, dolmino
from tests.mix.make import documents_of, write_arrays, write_uniform_arrays
from tests.s3_server import S3Server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def call(*arguments: object) -> Outcome:
        return dolmino(monkeypatch, capsys, "microanneal", "plan", *arguments)

    return call


def test_the_manifest_is_written_and_its_steps_and_rates_are_printed(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "math-2x.yaml"
    arguments = ("--from", "microanneal-math-2x", "--source", "math", "--copies", 2, "--web", "dclm", "--ratio", 49.3, "-o", path)
    done = run(*arguments)
    assert done.code == 0, done.err
    assert "math-2x: 796.61M tokens planned" in done.out
    assert "training: 189 steps of 1,024 x 4,096 = 4.19M tokens" in done.out
    assert "learning rate: 6.1499e-05 -> 0" in done.out
    manifest = load(path)
    assert manifest.name == "math-2x"
    assert manifest.groups["math"].source_percent == 200
    written = path.read_bytes()
    assert run(*arguments).code == 0  # the same again
    other = run(*arguments[:-3], 60, "-o", path)
    assert other.code == 2
    assert "is there and is another manifest" in other.error
    assert path.read_bytes() == written


def test_arrays_give_sizes_paths_and_tokenizer(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write_uniform_arrays(tmp_path / "tokens" / "dclm", documents=100, length=50, prefix="w")
    write_uniform_arrays(tmp_path / "tokens" / "mine", documents=20, length=50, prefix="m")
    path = tmp_path / "mine.yaml"
    batch = ("--batch-sequences", 4, "--sequence-length", 16)
    done = run("--source", "mine=2", "--web", "dclm", "--ratio", 50, "--arrays", tmp_path / "tokens", "-o", path, *batch)
    assert done.code == 0, done.err
    assert "training: 62 steps of 4 x 16" in done.out  # 4,000 tokens
    assert "the arrays were made with tokenizer 'tiny'" in done.out
    manifest = load(path)
    assert manifest.tokenizer == "tiny"
    assert manifest.sources["mine"] == Source(source_percent=200, arrays=str(tmp_path / "tokens" / "mine"))
    assert manifest.sources["dclm"].published is None
    exhausted = run("--source", "mine=10", "--web", "dclm", "--ratio", 50, "--arrays", tmp_path / "tokens", "-o", path, *batch)
    assert exhausted.code == 2
    assert "web 'dclm' is exhausted: 50 % of a mix beside 10,000 tokens is 10,000 tokens, it has 5,000" in exhausted.error


def test_arrays_and_manifest_may_be_on_s3(run, tmp_path: Path, s3: S3Server) -> None:  # type: ignore[no-untyped-def]
    for name in ("dclm", "mine"):
        write_arrays(s3.uri(f"microanneal/tokens/{name}"), documents_of(*[20] * 10, prefix=name))
    path = s3.uri("microanneal/mine.yaml")
    arguments = ("--source", "mine", "--web", "dclm", "--ratio", 50, "--arrays", s3.uri("microanneal/tokens"), "-o", path)
    assert run(*arguments).code == 0
    assert run(*arguments).code == 0
    (tmp_path / "mine.yaml").write_bytes(storage.read_bytes(path))
    assert load(tmp_path / "mine.yaml").sources["mine"].arrays == s3.uri("microanneal/tokens/mine")


def test_a_dry_run_prints_the_manifest_and_writes_nothing(run, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    done = run("--source", "math/gsm8k=4", "--web", "dclm", "--ratio", 50, "--start-step", 5000, "--dry-run")
    assert done.code == 0, done.err
    assert "source_percent: 400  # --source math/gsm8k, 4 copies" in done.out
    assert "learning_rate: {start: 3.57262" in done.out
    assert "nothing was written" in done.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "math=x"], "'x' is no number of copies; write NAME or NAME=2"),
        (["--source", "math", "--source", "math=2"], "--source 'math' is given twice"),
        (["--source", "math", "-o", "mine"], "--output 'mine' is no YAML file"),
        (["--source", "math", "-o", "s3://mine.yaml"], "--output 's3://mine.yaml' has no bucket"),
        (["--source", "math"], "no --output; give -o FILE.yaml"),
        (["--source", "math", "-o", "m.yaml", "--start-step", 11931], "start step is 11931"),
    ],
)
def test_a_wrong_request_exits_with_2(run, arguments: list[object], message: str) -> None:  # type: ignore[no-untyped-def]
    done = run("--web", "dclm", "--ratio", 50, *arguments)
    assert done.code == 2
    assert message in done.error
