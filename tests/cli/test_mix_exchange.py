"""`dolmino mix import | export` as the shell runs them: what they print, write and end with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.run import Outcome, dolmino
from tests.mix.exchange.make import write_lines
from tests.mix.make import contents, documents_of, write_arrays, write_manifest

Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs verbs in a folder with tokens/ and small.yaml."""
    monkeypatch.chdir(tmp_path)
    write_arrays("tokens/web", documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w"), groups=2)
    write_arrays("tokens/math/gsm8k", documents_of(5, 6, 7, 8, 9, prefix="m"))
    write_manifest(tmp_path / "small.yaml", **{"web": "source_percent: 30", "math/gsm8k": "tokens: 60"})
    return lambda *arguments: dolmino(monkeypatch, capsys, *arguments)


def test_import_shows_what_a_list_holds_and_what_is_odd(run: Run, tmp_path: Path) -> None:
    write_lines(tmp_path, "100B")
    outcome = run("mix", "import", "dolmino100B.txt", "-o", "out", "--dry-run")
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith("nothing was written\n") and not Path("out").exists()
    outcome = run("mix", "import", "dolmino100B.txt", "-o", "out/theirs.yaml", "--against", "dolmino-1124-100b")
    assert outcome.code == 0, outcome.err
    assert "1,253 lines of 697 files" in outcome.out and "112.94B" in outcome.out
    assert "note: math/tinygsm-mind/two-students: 92 files x3 where its group's others are x2" in outcome.err
    assert "note: wiki: Source % 200 here, 100 in dolmino-1124-100b" in outcome.err
    assert sorted(contents(Path("out"))) == ["theirs.files.txt", "theirs.yaml"]
    assert run("mix", "plan", "out/theirs.yaml").code == 0
    assert run("mix", "import", "dolmino100B.txt", "-o", "out/theirs.yaml", "--against", "dolmino-1124-100b").code == 0
    outcome = run("mix", "import", "dolmino100B.txt", "-o", "out/theirs.yaml", "--seed", 1)
    assert outcome.code == 2 and "out/theirs.yaml is there already and says something else" in outcome.error
    outcome = run("mix", "export", "out/theirs.files.txt", "--to", "olmo", "-o", "olmo.yaml", "--prefix", "s3://ai2-llm")
    assert outcome.code == 0, outcome.err
    assert Path("olmo.yaml").read_text().count("    - s3://ai2-llm/preprocessed/") == 1253


def test_export_to_megatron_counts_iterations(run: Run) -> None:
    arguments = ("mix", "export", "small.yaml", "--arrays", "tokens", "--to", "megatron", "-o", "out")
    outcome = run(*arguments, "--sequence-length", 8, "--batch-sequences", 4, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "train-iters = ceil(267 tokens / 8 / 4) = 9" in outcome.out and not Path("out").exists()
    outcome = run(*arguments)
    assert outcome.code == 0 and "give --sequence-length and --batch-sequences" in outcome.err
    assert sorted(contents(Path("out"))) == ["data-path.txt", "math/gsm8k.bin", "math/gsm8k.idx", "web.bin", "web.idx"]


def test_export_of_a_sampled_mix_links_its_parts(run: Run) -> None:
    assert run("sample", "small.yaml", "--arrays", "tokens", "-o", "mix", "--tokens-per-file", 100).code == 0
    outcome = run("mix", "export", "mix", "--to", "datatrove", "-o", "out")
    assert outcome.code == 0, outcome.err
    assert "files of tokens are hard links" in outcome.out
    outcome = run("mix", "export", "mix", "--to", "datatrove", "-o", "mix", "--dry-run")
    assert outcome.code == 2 and "mix holds files of something else" in outcome.err
    assert run("mix", "export", "mix", "--to", "datatrove", "-o", "out").code == 0  # the same again


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("import", "nothing.yaml", "-o", "out"), "nothing.yaml: there is no such file; give an OLMo YAML"),
        (("import", "small.yaml", "-o", "out"), "no configuration that is known"),
        (("import", "small.yaml", "-o", "out", "--dtype", "uint8"), "--dtype 'uint8'; allowed: uint16, uint32"),
        (("import", "small.yaml", "-o", "out", "--source", "x"), "give it as PREFIX=NAME"),
        (("export", "small.yaml", "--to", "mds", "-o", "out"), "--to 'mds'; allowed: olmo, olmo-core, source-mixture, megatron"),
        (("export", "small.yaml", "--to", "megatron", "-o", "out"), "no token arrays for web, math/gsm8k; give --arrays"),
        (("export", "x.files.txt", "--to", "olmo", "-o", "out"), "x.files.txt: there is no such file"),
        (("export", "small.yaml", "--to", "olmo", "-o", "out", "--batch-sequences", "4"), "count Megatron's steps"),
    ],
)
def test_a_wrong_request_ends_with_2_in_one_line(run: Run, arguments: tuple[str, ...], problem: str) -> None:
    outcome = run("mix", *arguments)
    assert outcome.code == 2
    assert problem in outcome.error
    assert not Path("out").exists()
