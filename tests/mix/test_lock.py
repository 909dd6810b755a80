"""From a lock the same bytes or a refusal that names what is not the same; a stopped run leaves nothing that looks whole."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.lock import differences, parse, request_of
from dolmino_cli.mix.manifest import Group, Manifest, Source
from dolmino_cli.mix.sampling.sample import sample
from tests.mix.make import TOKENIZER, contents, documents_of, write_arrays, write_manifest

WEB = documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w")
MATH = documents_of(5, 6, 7, 8, 9, prefix="m")
SHARES = {"web": "source_percent: 30", "math": "source_percent: 250"}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with tokens/, small.yaml and the finished mix/."""
    write_arrays(tmp_path / "tokens" / "web", WEB, groups=2, tokens_per_file=200)
    write_arrays(tmp_path / "tokens" / "math", MATH)
    run(write_manifest(tmp_path / "small.yaml", **SHARES), tmp_path / "mix")
    return tmp_path


def run(manifest: Path, output: Path, **options: object) -> bool:
    result = sample(manifest, output=str(output), arrays_root=str(manifest.parent / "tokens"), tokens_per_file=100, **options)  # type: ignore[arg-type]
    return result.written


def rebuild(made: Path, **options: object) -> None:
    """From the lock alone: it knows where the arrays are."""
    sample(made / "mix" / "small.lock.json", output=str(made / "again"), **options)  # type: ignore[arg-type]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def test_the_lock_makes_the_same_bytes_again(made: Path) -> None:
    for workers in (1, 4):
        rebuild(made, workers=workers)
        assert contents(made / "again") == contents(made / "mix")
        shutil.rmtree(made / "again")


def test_a_rerun_over_a_finished_mix_does_nothing(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (made / "mix").iterdir()}
    assert not run(made / "small.yaml", made / "mix")
    (made / "small.yaml").write_text("# another comment\n" + (made / "small.yaml").read_text())
    assert not run(made / "small.yaml", made / "mix")
    assert {path: path.stat().st_mtime_ns for path in (made / "mix").iterdir()} == before


@pytest.mark.parametrize("suffix", [".npy", ".csv.gz", ".documents.arrow", ".repeated.bin"])
def test_a_finished_mix_with_a_missing_file_is_made_whole_again(made: Path, suffix: str) -> None:
    before = contents(made / "mix")
    (made / "mix" / f"part-00001{suffix}").unlink()
    assert run(made / "small.yaml", made / "mix")
    assert contents(made / "mix") == before


@pytest.mark.parametrize(
    ("changes", "options", "named"),
    [
        ({"web": "source_percent: 31"}, {}, "source_percent of web (30.0 in the lock, 31.0 now)"),
        (
            {"web": "tokens: 100"},
            {},
            "source_percent of web (30.0 in the lock, None now); tokens of web (None in the lock, 100 now)",
        ),
        ({}, {"scale": 0.5}, "scale (1.0 in the lock, 0.5 now)"),
        ({}, {"sequence_length": 8}, "sequence_length (4096 in the lock, 8 now)"),
        ({"seed": 43}, {}, "manifest seed (42 in the lock, 43 now)"),
        ({"name": "other"}, {}, "holds another mix (small.lock.json)"),
    ],
)
def test_another_mix_is_refused_by_name(made: Path, changes: dict[str, object], options: dict[str, float], named: str) -> None:
    before = contents(made / "mix")
    manifest = write_manifest(made / "changed.yaml", **(SHARES | changes))  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as caught:
        run(manifest, made / "mix", **options)
    assert named in str(caught.value)
    assert contents(made / "mix") == before


def test_groups_bounds_and_the_order_of_sources_decide_too(made: Path) -> None:
    (made / "small.yaml").write_text((made / "small.yaml").read_text().replace("percent: 30", "percent: 30, max_epochs: 2"))
    with pytest.raises(ConfigError, match=r"max_epochs of web \(None in the lock, 2.0 now\)"):
        run(made / "small.yaml", made / "mix")
    shares = dict(reversed(SHARES.items()))
    with pytest.raises(ConfigError, match=r"order of the sources \(web, math in the lock, math, web now\)"):
        run(write_manifest(made / "small.yaml", **shares), made / "mix")
    grouped = replace(parse((made / "mix" / "small.lock.json").read_bytes(), "lock").manifest, groups={})
    before = Manifest(**{**vars(grouped), "sources": {"m/a": Source()}, "groups": {"m": Group(source_percent=100)}})
    after = replace(before, groups={"m": Group(tokens=5)})
    request = request_of(parse((made / "mix" / "small.lock.json").read_bytes(), "lock"))
    (said,) = differences(replace(request, manifest=before), replace(request, manifest=after))
    assert said == "group m (source_percent: 100 in the lock, tokens: 5 now)"


def test_changed_inputs_are_refused_by_name(made: Path) -> None:
    write_arrays(made / "tokens" / "web", [*WEB[:-1], *documents_of(9, seed=5)], groups=2, tokens_per_file=200)
    changed = "input part-00001-00001.npy of web (changed)"
    with pytest.raises(ConfigError) as caught:
        run(made / "small.yaml", made / "mix")
    assert changed in str(caught.value)
    assert "part-00000" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        rebuild(made)
    assert changed in str(caught.value)


def test_a_lock_keeps_its_scale(made: Path) -> None:
    with pytest.raises(ConfigError, match=r"scale \(1.0 in the lock, 0.1 now\)"):
        rebuild(made, scale=0.1)


@pytest.mark.parametrize("name", ["part-00001-00000.npy", "part-00001-00000.csv.gz"])
def test_an_input_with_a_changed_byte_is_refused_even_where_nothing_is_taken_of_it(made: Path, name: str) -> None:
    file = made / "tokens" / "web" / name
    # A byte of the first document's tokens; the gzip header's operating system, which changes no row.
    flip(file, 0 if name.endswith(".npy") else 9)
    with pytest.raises(DataError) as caught:
        rebuild(made)
    assert str(caught.value).startswith(f"{file}: was changed after it was written")
    assert not (made / "again" / "small.lock.json").exists()
    assert not (made / "again" / "arrays.json").exists()


def test_rows_that_leave_a_gap_are_refused_with_their_line(made: Path) -> None:
    import gzip

    file = made / "tokens" / "web" / "part-00001-00000.csv.gz"
    rows = gzip.decompress(file.read_bytes()).split(b"\r\n")
    file.write_bytes(gzip.compress(b"\r\n".join(rows[:1] + rows[2:])))
    with pytest.raises(DataError, match=r"part-00001-00000.csv.gz:2: document .* does not begin where the one before it ends"):
        rebuild(made)


def test_outputs_that_are_not_the_lock_s_are_an_error_naming_the_first(made: Path) -> None:
    path = made / "mix" / "small.lock.json"
    lock = json.loads(path.read_text())
    lock["outputs"][1]["sha256"] = "00" * 32
    path.write_text(json.dumps(lock))
    with pytest.raises(DataError, match=r"again/part-00001\.npy: differs from the lock: sha256 is [0-9a-f]+, the lock says 0000"):
        rebuild(made)
    assert not (made / "again" / "small.lock.json").exists()


def decided_only(made: Path) -> Path:
    """The lock as `mix lock` makes it: what will be taken, and no outputs yet."""
    path = made / "mix" / "small.lock.json"
    lock = json.loads(path.read_text())
    lock["outputs"] = None
    for source in lock["sources"].values():
        source["repeated_ids"] = None
    path.with_name("decided.lock.json").write_text(json.dumps(lock))
    return path.with_name("decided.lock.json")


def test_a_lock_without_outputs_is_sampled_and_completed(made: Path) -> None:
    decided = decided_only(made)
    sample(decided, output=str(made / "again"))
    decided.unlink()
    assert contents(made / "again") == contents(made / "mix")


def test_a_lock_without_outputs_still_says_what_must_be_taken(made: Path) -> None:
    decided = decided_only(made)
    lock = json.loads(decided.read_text())
    taken = lock["sources"]["math"]["taken_documents"]
    lock["sources"]["math"]["taken_documents"] += 1
    decided.write_text(json.dumps(lock))
    with pytest.raises(DataError, match=f"taken_documents of math is {taken}, the lock says {taken + 1}"):
        sample(decided, output=str(made / "again"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a mix lock"),
        ('{"format": "something"}', "is not a mix lock"),
        (None, "is 'dolmino mix lock' version 1; this dolmino reads 'dolmino mix lock' version 2: sample the manifest anew"),
    ],
)
def test_a_file_that_is_no_lock_is_refused(made: Path, text: str | None, message: str) -> None:
    path = made / "mix" / "small.lock.json"
    path.write_text(text if text is not None else path.read_text().replace('"version": 2', '"version": 1', 1))
    with pytest.raises(DataError, match=message):
        rebuild(made)


def test_files_that_are_no_mix_s_are_left_alone(made: Path) -> None:
    before = contents(made / "tokens")
    with pytest.raises(ConfigError, match=r"tokens/web holds files that are no mix's \(arrays.json\)"):
        run(made / "small.yaml", made / "tokens" / "web")
    assert contents(made / "tokens") == before


def test_sources_without_arrays_are_refused_by_name(made: Path) -> None:
    manifest = write_manifest(made / "m.yaml", web="source_percent: 30", flan="source_percent: 10", wiki="tokens: 5")
    with pytest.raises(ConfigError, match="no token arrays for flan, wiki; make them with `dolmino retokenize`"):
        run(manifest, made / "new")
    assert not (made / "new").exists()


def test_arrays_of_two_tokenizers_are_not_mixed(made: Path) -> None:
    other = replace(TOKENIZER, name="other", sha256="cd" * 32)
    write_arrays(made / "tokens" / "math", MATH, tokenizer=other)
    with pytest.raises(ConfigError) as caught:
        run(made / "small.yaml", made / "new")
    assert "web: tiny (sha256 abababababab, eos 99); math: other (sha256 cdcdcdcdcdcd, eos 99)" in str(caught.value)


def test_arrays_of_another_tokenizer_than_the_manifest_s_are_a_warning(made: Path) -> None:
    text = (made / "small.yaml").read_text()
    for name, warnings in (("some/folder/tiny", ()), ("allenai/dolma2-tokenizer", ("allenai/dolma2-tokenizer",))):
        (made / "m.yaml").write_text(text.replace("tokenizer: tiny", f"tokenizer: {name}"))
        result = sample(made / "m.yaml", output=str(made / name), arrays_root=str(made / "tokens"))
        assert len(result.warnings) == len(warnings)
        assert all(word in warning for word, warning in zip(warnings, result.warnings, strict=True))


# Kills itself when the function called `name` in `module` is called for the n-th time.
KILLED = """
import importlib, os, signal, sys
from pathlib import Path
from dolmino_cli.mix.sampling.sample import sample

manifest, output, module, name, count = sys.argv[1:]
owner = importlib.import_module(module)
for attribute in name.split(".")[:-1]:
    owner = getattr(owner, attribute)
called, original = 0, getattr(owner, name.split(".")[-1])

def stop(*arguments, **options):
    global called
    called += 1
    if called == int(count):
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)

setattr(owner, name.split(".")[-1], stop)
sample(Path(manifest), output=output, arrays_root=str(Path(manifest).parent / "tokens"), tokens_per_file=100)
"""


@pytest.mark.parametrize(
    ("module", "name", "count", "left"),
    [
        ("dolmino_cli.mix.sampling.choose", "survey", 2, "000000-00000-10000-0000.kept"),
        ("dolmino_cli.mix.sampling.mix_rows", "order", 2, "000000.runs"),
        ("dolmino_cli.mix.sampling.sample", "write_part", 3, "part-00001.npy"),
        ("dolmino_cli.shards.output", "Pending.publish", 9, ".part-00001.npy."),  # a part's documents are there, not it
        ("dolmino_cli.mix.folder", "end", 1, "small.lock.json"),
    ],
)
def test_a_run_killed_at_any_moment_leaves_no_finished_mix_and_a_rerun_makes_the_same_bytes(
    made: Path, module: str, name: str, count: int, left: str
) -> None:
    command = [sys.executable, "-c", KILLED, str(made / "small.yaml"), str(made / "again"), module, name, str(count)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    found = contents(made / "again")
    assert any(name.endswith(left) or (left.startswith(".part") and name.startswith(left)) for name in found)
    assert "sample.unfinished" in found
    for stale in ("part-00099.npy", "part-00099.csv.gz", "part-00099.documents.arrow"):
        (made / "again" / stale).write_bytes(b"left over")  # as of a run with more parts
    assert run(made / "small.yaml", made / "again")
    assert contents(made / "again") == contents(made / "mix")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lock: lock["sources"].pop("web"), "sources math, its manifest has web, math"),
        (lambda lock: lock["sources"]["web"]["files"].pop(), "tokens of web are 690, its files have"),
        (lambda lock: lock.update(arrays_json_sha256=None), "there are outputs and no arrays_json_sha256"),
        (lambda lock: lock["outputs"].pop(), "301 tokens are taken of the sources, 222 in the outputs"),
        (
            lambda lock: lock["outputs"][1].update(name=lock["outputs"][0]["name"]),
            "two outputs of one name, or a name",
        ),
        (lambda lock: lock["outputs"][0].update(name="../part-00000.npy"), "two outputs of one name, or a name"),
        (lambda lock: lock.update(sequence_length=16), "part-00000.npy has 0 windows of 16 in 66 tokens"),
    ],
)
def test_a_lock_that_contradicts_itself_is_refused(made: Path, edit: Callable[[dict[str, Any]], object], message: str) -> None:
    content = json.loads((made / "mix" / "small.lock.json").read_text())
    edit(content)
    with pytest.raises(DataError) as caught:
        parse(json.dumps(content).encode(), "edited.lock.json")
    assert f"is a damaged mix lock: {message}" in str(caught.value)


def test_the_windows_are_those_that_the_manifest_is_trained_in(made: Path) -> None:
    manifest = write_manifest(made / "small.yaml", **SHARES)
    manifest.write_text(manifest.read_text() + "training: {batch_sequences: 2, sequence_length: 16}\n")
    run(manifest, made / "trained")
    assert parse((made / "trained" / "small.lock.json").read_bytes(), "lock").sequence_length == 16
    run(manifest, made / "asked", sequence_length=8)
    assert parse((made / "asked" / "small.lock.json").read_bytes(), "lock").sequence_length == 8
