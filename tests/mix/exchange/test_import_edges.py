"""Configurations with something odd about them are read as OLMo reads them, or stop with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import Header, parse
from dolmino_cli.mix.exchange.import_mix import Imported, Wishes, import_mix
from dolmino_cli.mix.exchange.write_lists import olmo_core_lines, olmo_yaml
from dolmino_cli.mix.manifest import Published, Source
from dolmino_cli.report.exchange import consumed_line
from tests.mix.exchange.make import write

A, B = "s3://one/ai2/a/part-0.npy", "s3://one/ai2/b/part-0.npy"
BATCH = ("global_train_batch_size: 8", "model: {max_sequence_length: 4096}")


def read(folder: Path, *lines: str, paths: tuple[str, ...] = (A, B), wishes: Wishes | None = None) -> Imported:
    head = ("run_name: odd", "tokenizer: {identifier: dolma2-tokenizer}", *lines, "data:", "  memmap_dtype: uint32", "  paths:")
    path = write(folder / "odd.yaml", [*head, *(f"  {path}" if path.startswith("#") else f"  - {path}" for path in paths)])
    return import_mix(str(path), wishes or Wishes())


def test_a_null_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    """OLMo's own defaults are written so: `stop_at: null`."""
    run = read(tmp_path, "stop_at: null", "seed: ~", "max_duration: 1e9T", *BATCH).run
    assert run is not None
    assert run.training.steps == 1_000_000_000 // (8 * 4096)


def test_more_epochs_than_one_are_said(tmp_path: Path) -> None:
    imported = read(tmp_path, "max_duration: 2ep", *BATCH)
    assert consumed_line(imported) == "trains on all of it 2 times in batches of 8 sequences of 4,096 tokens"
    assert imported.findings[0].startswith("max_duration asks for 2 epochs of the list")
    assert not any("epochs" in line for line in read(tmp_path, "max_duration: 1ep", *BATCH).findings)


@pytest.mark.parametrize(
    ("said", "end"),
    [
        (("max_duration: 100",), 0.0),
        (("max_duration: 100", "stop_at: 110"), 0.0),
        (("max_duration: 100", "stop_at: 25"), 0.75e-4),
        ((f"max_duration: {100 * 8 * 4096}T", "stop_at: 25"), 0.75e-4),
        (("max_duration: 1ep",), 0.0),
        (("max_duration: 1ep", "stop_at: 25"), None),
    ],
)
def test_a_run_ends_at_the_rate_that_its_schedule_leaves(tmp_path: Path, said: tuple[str, ...], end: float | None) -> None:
    """As olmo/optim.py has it: linear to max_duration, wherever the run stops."""
    schedule = ("optimizer: {learning_rate: 1e-4}", "scheduler: {name: linear_with_warmup, t_warmup: 0, alpha_f: 0}")
    run = read(tmp_path, *BATCH, *schedule, *said).run
    assert run is not None
    rate = run.training.learning_rate
    assert (None if rate is None else rate.end) == (end if end is None else pytest.approx(end))


def test_a_schedule_of_its_own_length_decides(tmp_path: Path) -> None:
    schedule = ("optimizer: {learning_rate: 1e-4}", "scheduler: {name: linear_with_warmup, t_warmup: 0, t_max: 50, alpha_f: 0.5}")
    run = read(tmp_path, *BATCH, *schedule, "max_duration: 25").run
    assert run is not None
    assert run.training.learning_rate is not None
    assert run.training.learning_rate.end == pytest.approx(0.75e-4)


def test_what_a_person_says_otherwise_is_exported(tmp_path: Path) -> None:
    """Not what the file said, and without its line."""
    wishes = Wishes(name="mine", tokenizer="other/tokenizer", dtype="uint16", seed=7)
    imported = read(tmp_path, "seed: 1", wishes=wishes)
    text = olmo_yaml(imported.files)
    for line in ("run_name: mine", "seed: 7", "  identifier: other/tokenizer", "  memmap_dtype: uint16"):
        assert line in text.splitlines()
    assert "tokenizer: other/tokenizer\n" in imported.manifest_yaml
    assert "seed: 7  # --seed\n" in imported.manifest_yaml


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ('"s3://a/b\\npart.npy"', "odd.yaml:7: data.paths: 's3://a/b\\\\npart.npy' is no path"),
        ('"#a/part.npy"', "odd.yaml:7: data.paths: '#a/part.npy' is no path"),
        ("null", "odd.yaml:7: data.paths: expected a path"),
        ("12", "odd.yaml:7: data.paths: expected a path"),
    ],
)
def test_what_is_no_path_stops_with_its_line(tmp_path: Path, path: str, problem: str) -> None:
    """A list with it could not be read again."""
    with pytest.raises(ConfigError, match=problem):
        read(tmp_path, paths=(A, path))


def test_equal_keys_stop_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"odd\.yaml:5: data: given twice \(first on line 3\)"):
        read(tmp_path, "data: {x: 1}")


def test_a_source_comment_without_a_number_ends_the_one_above(tmp_path: Path) -> None:
    """Its files are of no comment's count, and stay so through every form."""
    imported = read(tmp_path, paths=("#SOURCE: s3://one/ai2/a (1.00MT)", A, "# SOURCE: flan", B))
    assert imported.files.headers[1] == Header(before=1, prefix="flan", tokens=None, exact=False)
    assert [pool.held.tokens if pool.held else None for pool in imported.pools] == [1_000_000, None]
    assert parse(imported.files.to_text(), "odd.files.txt") == imported.files
    again = write(tmp_path / "again.yaml", olmo_yaml(imported.files).splitlines())
    assert import_mix(str(again), Wishes()).files == imported.files
    lines = write(tmp_path / "again.txt", olmo_core_lines(imported.files).splitlines())
    assert import_mix(str(lines), Wishes(tokenizer="t")).files.headers == imported.files.headers


def test_sizes_of_a_folder_that_two_files_could_be_in_are_refused(tmp_path: Path) -> None:
    """`part-0.npy` is the end of both paths: a's 1,000 tokens are not b's."""
    (tmp_path / "tokens" / "a").mkdir(parents=True)
    (tmp_path / "tokens" / "a" / "part-0.npy").write_bytes(bytes(4000))
    with pytest.raises(ConfigError, match=f"part-0.npy there could be {A} or {B}"):
        read(tmp_path, wishes=Wishes(sizes=str(tmp_path / "tokens" / "a")))
    found = read(tmp_path, wishes=Wishes(sizes=str(tmp_path / "tokens")))
    assert [file.tokens for file in found.files.files] == [1000, None]
    # Copies of a file, and a pattern that means it, are no doubt.
    both = read(tmp_path, paths=(A, A, "s3://one/ai2/a/*.npy"), wishes=Wishes(sizes=str(tmp_path / "tokens")))
    assert [file.tokens for file in both.files.files] == [1000, 1000, 1000]


def test_a_byte_order_mark_is_no_part_of_a_path(tmp_path: Path) -> None:
    (tmp_path / "mix.txt").write_bytes(b"\xef\xbb\xbfweb/part-0.npy\r\nweb/part-1.npy\r\n")
    imported = import_mix(str(tmp_path / "mix.txt"), Wishes(tokenizer="t"))
    assert [file.path for file in imported.files.files] == ["web/part-0.npy", "web/part-1.npy"]


def test_a_source_of_empty_files_has_no_published_size(tmp_path: Path) -> None:
    """Nor do files that are listed unevenly become a share of 0 tokens."""
    for name in ("a", "b"):
        (tmp_path / "ai2" / name).mkdir(parents=True)
        (tmp_path / "ai2" / name / "part-0.npy").write_bytes(bytes(400 if name == "a" else 0))
    (tmp_path / "ai2" / "b" / "part-1.npy").write_bytes(b"")
    manifest = read(tmp_path, paths=(A, B, B, B.replace("0", "1")), wishes=Wishes(sizes=str(tmp_path / "ai2"))).manifest
    assert manifest.sources["b"] == Source(source_percent=150.0)
    assert manifest.sources["a"] == Source(source_percent=100.0, published=Published(tokens=100))


def test_a_pattern_means_what_olmo_core_finds_with_it(tmp_path: Path) -> None:
    """`**` also no folder, `*` no folder's end; and a pattern without files is not the files of all others."""
    for number, name in enumerate(("pool/x/tok/0.npy", "pool/x/deep/er/tok/1.npy", "pool/x/tok/sub/2.npy", "pool/y/tok/3.npy")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(4 * 10**number))
    paths = tuple(f"s3://one/pool/{name}/**/tok/*.npy" for name in ("x", "y", "z"))
    found = read(tmp_path, paths=paths, wishes=Wishes(sizes=str(tmp_path)))
    assert [file.tokens for file in found.files.files] == [1 + 10, 1000, None]
