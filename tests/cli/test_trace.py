"""`dolmino trace`: what it prints, as a table and as JSON, and what it refuses in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.run import Outcome, dolmino
from tests.mix.traced import LENGTH, Row, rows_of
from tests.s3_server import S3Server


@pytest.fixture(scope="module")
def folder(traced_mix: Path) -> Path:
    return traced_mix


@pytest.fixture
def run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    return lambda *arguments: dolmino(monkeypatch, capsys, "trace", folder / "mix", *arguments)


def facts(outcome: Outcome) -> dict[str, str]:
    """The lines of one table; of two of one name, the first."""
    assert outcome.code == 0, outcome.err
    found: dict[str, str] = {}
    for line in outcome.out.splitlines():
        name, _, value = line.strip().partition("  ")
        found.setdefault(name, value.strip())
    return found


def whole_word_row(folder: Path) -> Row:
    return next(row for row in rows_of(folder) if row.source == "web" and row.end - row.start > 20)


def test_a_token_with_all_that_is_known_of_it(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    row = whole_word_row(folder)
    options = ["-t", folder / "tokenizer.json", "--documents", folder / "filtered", "--seed", 1, "--batch", 8, "--full"]
    found = facts(run("--at", f"{row.part}:{row.start + 3}", *options))
    assert found["document"] == row.id
    assert found["source"].startswith("web, copy ")
    assert found["from"] == f"{row.src}, line {row.loc}"
    assert found["place"].endswith(f"{row.end - row.start} tokens; this is its token 3, from 0")
    assert re.fullmatch(r"step \d+, rank 0, row \d|never: .*", found["trained on"])
    assert found["input"].endswith(f"/raw/web/{row.src.replace('.zst', '.gz')}, line {row.input_line}")
    assert found["score"] == f"characters {row.characters}"
    assert found["record"] == json.dumps({"id": row.id})
    assert "⟦" in found["text"]


def test_without_the_tokenizer_ids_are_shown_and_it_says_so(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    outcome = run("--token", 0)
    assert "text" not in facts(outcome)
    assert "tokens are shown as ids" in outcome.err
    assert "give the mix's tokenizer (tokenizer.json) as --tokenizer" in outcome.err
    refused = run("--text", "the dog")
    assert (refused.code, "with the mix's tokenizer only" in refused.error) == (2, True)


def test_nobody_is_asked_for_a_tokenizer_that_was_a_file(run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """Where there is no network, the hub's answer takes half a minute; a name without "/" is a local file's or folder's."""
    lock = folder / "mix" / "traced.lock.json"
    text = lock.read_text()
    monkeypatch.setattr("dolmino_cli.tokenizer.identity._download", lambda name: pytest.fail(f"asked the hub for {name}"))
    lock.write_text(text.replace('"name": "tokenizer.json"', '"name": "my-tokenizer"'))
    try:
        outcome = run("--token", 0)
        assert (outcome.code, "my-tokenizer is not on this machine; give the mix's tokenizer" in outcome.err) == (0, True)
        lock.write_text(text.replace('"name": "tokenizer.json"', '"name": "org/my-tokenizer"'))
        assert run("--step", 1, "--seed", 1, "--batch", 8).code == 0  # numbers only
    finally:
        lock.write_text(text)


def test_json_is_what_the_table_shows(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    row = whole_word_row(folder)
    outcome = run("--at", f"{row.part}:{row.start}", "--json", "--documents", folder / "filtered")
    answer = json.loads(outcome.out)
    wanted = {"source": "web", "id": row.id, "src": row.src, "loc": row.loc, "part": row.part, "start": row.start, "end": row.end}
    assert {name: answer["place"]["document"][name] for name in wanted} == wanted
    assert answer["origin"]["scores"] == {"characters": row.characters}
    assert answer["excerpt"] is None
    step = json.loads(run("--step", 1, "--seed", 1, "--batch", 8, "--json").out)
    assert (len(step["windows"]), sum(one["tokens"] for one in step["sources"])) == (8, 8 * LENGTH)
    window = json.loads(run("--window", 0, "--json").out)
    assert sum(one["tokens"] for one in window["documents"]) == LENGTH


def test_a_step_by_source_and_one_of_its_windows(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    order = ["--step", 2, "--seed", 1, "--batch", 8, "--world-size", 2]
    table = run(*order).out
    assert "step 2: 8 windows, 256 tokens" in table
    assert "step 2 on rank 1: 4 windows, 128 tokens" in run(*order, "--rank", 1).out
    window = run(*order, "--rank", 1, "--row", 3, "-t", folder / "tokenizer.json")
    assert facts(window)["trained on"] == "step 2, rank 1, row 3"


def test_find_takes_an_id_first_and_words_for_text(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    row = whole_word_row(folder)
    outcome = run("--find", row.id)
    assert outcome.out.count(row.part) == sum(one.part == row.part for one in rows_of(folder) if one.id == row.id)
    absent = run("--find", "nowhere")
    assert 'the mix has no document with the id "nowhere"' in absent.out
    assert "web: not in the source: all of it is in the mix" in absent.out
    assert "--text 'nowhere'" in absent.err
    words = " ".join(row.text.split()[:3])
    outcome = run("--find", words, "-t", folder / "tokenizer.json", "--limit", 1)
    assert f"⟦{words}⟧" in outcome.out
    assert "(a scan)" in outcome.err
    nothing = run("--text", "no such words", "-t", folder / "tokenizer.json", "-w", 2)
    assert (nothing.out, "found 0 times in the whole mix" in nothing.err) == ("", True)


def test_a_mix_on_s3_is_traced_the_same(
    run,
    folder: Path,
    s3: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    for path in sorted((folder / "mix").iterdir()):
        s3.file(f"mix/{path.name}").write_bytes(path.read_bytes())
    for path in sorted((folder / "filtered").rglob("*")):
        if path.is_file():
            s3.file(f"filtered/{path.relative_to(folder / 'filtered')}").write_bytes(path.read_bytes())
    row = whole_word_row(folder)
    tokenizer = ["-t", folder / "tokenizer.json"]
    for question in (
        ["--at", f"{row.part}:{row.start}"],
        ["--find", row.id],
        ["--step", 1, "--seed", 1, "--batch", 8],
        ["--text", "dog"],
    ):
        remote = dolmino(monkeypatch, capsys, "trace", s3.uri("mix"), *question, *tokenizer)
        assert (remote.code, remote.out) == (0, run(*question, *tokenizer).out)
    documents = ["--documents", s3.uri("filtered")]
    assert facts(run("--find", row.id, *documents))["score"] == f"characters {row.characters}"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "nothing asked; give one of --at, --token"),
        (["--at", "0:1", "--token", 1], "--at and --token given; give one of"),
        (["--at", "0:1", "--rank", 1], "--rank and --row are of a step, --at is none"),
        (["--step", 1, "--row", 1, "--seed", 1, "--batch", 1], "--row is of a rank; give --rank too"),
        (["--step", 1, "--seed", 1], "the trainer's order needs --batch too"),
        (["--step", 10**6, "--seed", 1, "--batch", 8], "step 1,000,000 is not in the run"),
        (["--text", "a\udcff"], "is not UTF-8"),
        (["--text", ""], "--text is empty"),
        (["--token", 10**9], "token 1,000,000,000 is not in the mix"),
        (["--token", 0, "--sequence-length", 10**20], "--sequence-length is 100000000000000000000; it must be 1 to 16,777,216"),
        (["--token", 0, "--documents", "nowhere"], "--documents: neither run.json nor "),
        (["--token", 0, "-t", "./no.json"], "no tokenizer at './no.json'"),
    ],
)
def test_a_wrong_request_is_one_line(run, folder: Path, arguments: list[object], problem: str) -> None:  # type: ignore[no-untyped-def]
    options = ["-t", folder / "tokenizer.json"] if "--text" in arguments else []
    outcome = run(*arguments, *options)
    assert outcome.code == 2
    assert problem in outcome.error
