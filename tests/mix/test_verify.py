"""Verify names every file that is not what the lock says, and no other; quick by size, full by sha256."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.mix import verify as verify_module
from dolmino_cli.mix.lock import parse
from dolmino_cli.mix.sampling.sample import sample
from dolmino_cli.mix.verify import Verified, look, verify
from dolmino_cli.mix.verify_target import find_target
from tests.mix.make import contents, documents_of, write_arrays, write_manifest
from tests.s3_server import S3Server

WEB = documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w")
MATH = documents_of(5, 6, 7, 8, 9, prefix="m")
SHARES = {"web": "source_percent: 30", "math": "source_percent: 250"}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tokens/, small.yaml and the finished mix/; remembered etags stay in it."""
    monkeypatch.setenv("DOLMINO_CACHE", str(tmp_path / "cache"))
    write_arrays(tmp_path / "tokens" / "web", WEB, groups=2, tokens_per_file=200)
    write_arrays(tmp_path / "tokens" / "math", MATH)
    manifest = write_manifest(tmp_path / "small.yaml", **SHARES)
    sample(manifest, output=str(tmp_path / "mix"), arrays_root=str(tmp_path / "tokens"), tokens_per_file=100, sequence_length=8)
    return tmp_path


def check(made: Path | str, *, full: bool, workers: int = 1, **options: object) -> Verified:
    target = find_target(f"{made}/mix", **options)  # type: ignore[arg-type]
    found = verify(target.files, full=full, workers=workers)
    return found if not target.problems else pytest.fail(str(target.problems))


def named(found: Verified) -> list[str]:
    return [problem.path for problem in found.problems]


def flip(path: Path, at: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def of_every_kind(made: Path) -> list[Path]:
    """The last file of each kind, of an input and of the mix."""
    web, mix = made / "tokens" / "web", made / "mix"
    kinds = [(web, "*.npy"), (web, "*.csv.gz"), (web, "arrays.json"), (mix, "*.npy"), (mix, "*.csv.gz")]
    kinds += [(mix, "*.documents.arrow"), (mix, "*.repeated.bin"), (mix, "arrays.json")]
    return [sorted(folder.glob(pattern))[-1] for folder, pattern in kinds]


def test_nothing_differs_in_a_finished_mix_and_every_file_is_looked_at(made: Path) -> None:
    files = {str(made / name) for name in contents(made) if name.startswith(("tokens/", "mix/")) and ".lock." not in name}
    target = find_target(str(made / "mix"))
    assert {file.path for file in target.files} == files and target.remarks == ()
    found = check(made, full=True, workers=2)
    assert (found.files, found.by_sha256, found.by_size, found.problems) == (len(files), len(files), 0, ())
    assert found.bytes == found.read_bytes == sum(Path(file).stat().st_size for file in files)
    quick = check(made, full=False)
    arrays = [file for file in files if file.endswith((".npy", ".bin"))]
    assert (quick.files, quick.by_size, quick.by_sha256) == (len(files), len(arrays), len(files) - len(arrays))


def test_full_names_exactly_the_file_with_a_changed_byte(made: Path) -> None:
    for path in of_every_kind(made):
        before = path.read_bytes()
        flip(path, len(before) // 2)
        found = check(made, full=True)
        assert named(found) == [str(path)]
        assert ": sha256 is " in str(found.problems[0]) and "; the lock says " in str(found.problems[0])
        path.write_bytes(before)
    assert named(check(made, full=True)) == []


def test_quick_names_exactly_the_file_that_is_cut_short_or_missing(made: Path) -> None:
    for path in of_every_kind(made):
        before = path.read_bytes()
        path.write_bytes(before[:-1])
        assert named(check(made, full=False)) == [str(path)]
        path.unlink()
        found = check(made, full=False)
        assert named(found) == [str(path)] and ": missing; the lock has it" in str(found.problems[0])
        path.write_bytes(before)


def test_all_that_differs_is_named_at_once(made: Path) -> None:
    paths = of_every_kind(made)
    for path in paths[:-1]:
        flip(path)
    (made / "mix" / "part-00099.npy").write_bytes(b"more")
    paths[-1].unlink()
    wanted = [*(str(path) for path in paths), str(made / "mix" / "part-00099.npy")]
    found = check(made, full=True, workers=2)
    assert sorted(named(found)) == sorted(wanted)
    assert str(found.problems[-1]) == f"output {made}/mix/part-00099.npy: 4 bytes; not in the lock"


def test_a_folder_that_is_gone_and_a_mix_that_is_not_finished(made: Path) -> None:
    shutil.rmtree(made / "tokens" / "math")
    (made / "mix" / "sample.unfinished").touch()
    missing = [
        str(made / "tokens" / "math" / name) for name in ("arrays.json", "part-00000-00000.npy", "part-00000-00000.csv.gz")
    ]
    found = check(made, full=False)
    assert named(found) == [*missing, str(made / "mix" / "sample.unfinished")]
    assert look(find_target(str(made / "mix")).files, full=False).absent == (str(made / "tokens" / "math"),)
    assert "input of math" in str(found.problems[0]) and "run `dolmino sample` again" in str(found.problems[-1])


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_still_read(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = of_every_kind(made)[0]

    def refuse(path: str) -> object:
        if path == str(bad):
            raise StorageError(f"cannot read {path}: permission denied")
        return Path(path).open("rb")

    monkeypatch.setattr(verify_module.storage, "open_bytes", refuse)
    flip(of_every_kind(made)[-1])
    found = check(made, full=True)
    assert named(found) == [str(bad), str(of_every_kind(made)[-1])]
    assert found.problems[0].what == f"cannot read {bad}: permission denied"


def test_inputs_are_looked_for_under_arrays_and_else_where_the_lock_found_them(made: Path) -> None:
    shutil.copytree(made / "tokens" / "web", made / "copy" / "web")
    flip(made / "copy" / "web" / "arrays.json")
    target = find_target(str(made / "mix"), arrays_root=str(made / "copy"), outputs=False)
    assert named(verify(target.files, full=False)) == [str(made / "copy" / "web" / "arrays.json")]
    assert target.remarks == (f"not under {made}/copy, looked at where the lock found them: math at {made}/tokens/math",)


def test_a_lock_elsewhere_needs_to_know_where_the_mix_is(made: Path) -> None:
    lock = made / "git" / "small.lock.json"
    lock.parent.mkdir()
    shutil.copy(made / "mix" / "small.lock.json", lock)
    target = find_target(str(lock))
    assert {file.of for file in target.files} == {"input of web", "input of math"}
    assert "--mix says where the outputs are" in target.remarks[0]
    assert len(find_target(str(lock), mix=str(made / "mix")).files) == len(find_target(str(made / "mix")).files)
    assert all(file.root == str(lock.parent) for file in find_target(str(lock), inputs=False).files)


def test_a_lock_whose_mix_is_asked_for_or_lies_beside_it_never_passes_without_the_mix(made: Path) -> None:
    lock = made / "mix" / "small.lock.json"
    unsampled = made / "before.lock.json"
    unsampled.write_bytes(dataclasses.replace(parse(lock.read_bytes(), ""), outputs=None, arrays_json_sha256=None).to_json())
    with pytest.raises(ConfigError, match=r"has no outputs yet; .*or verify .*mix by the lock in it"):
        find_target(str(unsampled), mix=str(made / "mix"))
    gone = [made / "mix" / "arrays.json", made / "mix" / "part-00000.npy"]
    for path in gone:
        path.unlink()
    assert named(verify(find_target(str(lock)).files, full=False)) == [str(path) for path in gone]


def test_an_array_that_the_lock_does_not_have_is_named_wherever_it_lies(made: Path) -> None:
    (made / "mix" / "below").mkdir()
    more = [made / "mix" / "below" / "part-00009.csv.gz", made / "mix" / "extra.npy"]
    for path in (*more, made / "mix" / "notes.txt"):
        path.write_bytes(b"ab")
    assert named(check(made, full=False)) == [str(path) for path in more]


def test_the_lock_in_the_mix_must_be_the_one_given(made: Path) -> None:
    lock, own = made / "small.lock.json", made / "mix" / "small.lock.json"
    shutil.copy(own, lock)

    def said() -> list[str]:
        return [problem.what for problem in find_target(str(lock), mix=str(made / "mix")).problems]

    before = own.read_text()
    assert said() == []
    own.write_text(before.replace(str(made / "tokens"), "s3://elsewhere"))  # where inputs lay does not matter
    assert said() == []
    own.write_text(before.replace('"whole_passes": ', '"whole_passes": 1'))
    assert said() == [f"is not the lock {lock}; `dolmino mix diff` shows how"]
    own.write_text(before[:-9])
    assert len(said()) == 1 and said()[0].startswith("is not a mix lock")
    own.unlink()
    assert said() == ["missing; a finished mix has its lock beside it"]


def test_a_manifest_is_compared_entry_by_entry(made: Path) -> None:
    manifest = made / "small.yaml"
    assert find_target(str(made / "mix"), manifest=manifest).remarks == ()
    manifest.write_text("# a comment\n" + manifest.read_text())
    target = find_target(str(made / "mix"), manifest=manifest)
    assert target.problems == () and target.remarks == (f"{manifest} says what the lock says, in other bytes (comments, layout)",)
    write_manifest(manifest, seed=43, web="source_percent: 31", math="source_percent: 250", book="tokens: 3")
    said = [str(problem) for problem in find_target(str(made / "mix"), manifest=manifest).problems]
    assert f"manifest {manifest}: seed is 43; the lock says 42" in said
    assert f"manifest {manifest}: sources.web.source_percent is 31.0; the lock says 30.0" in said
    assert f"manifest {manifest}: sources.book.tokens is 3; the lock says not there" in said
    write_manifest(manifest, math="source_percent: 250", web="source_percent: 30")
    said = [str(problem) for problem in find_target(str(made / "mix"), manifest=manifest).problems]
    assert said == [f"manifest {manifest}: sources stand in another order than in the lock"]


def test_what_is_no_lock_is_refused(made: Path) -> None:
    for given, message in (
        (made / "no.lock.json", "no lock '.*no.lock.json'; give a MIX.lock.json that exists"),
        (made / "nowhere", "no lock or folder"),
        (made / "tokens", "tokens holds no lock; give the path"),
    ):
        with pytest.raises(ConfigError, match=message):
            find_target(str(given))
    shutil.copy(made / "mix" / "small.lock.json", made / "mix" / "b.lock.json")
    with pytest.raises(ConfigError, match=r"holds 2 locks \(b.lock.json, small.lock.json\)"):
        find_target(str(made / "mix"))


def test_on_s3_full_remembers_etags_and_quick_reads_what_has_another(s3: S3Server, made: Path) -> None:
    for name, data in contents(made).items():
        s3.file(f"verified/{name}").write_bytes(data)
    root = s3.uri("verified")

    def looked(*, full: bool) -> Verified:
        return check(root, full=full, arrays_root=f"{root}/tokens")

    quick = looked(full=False)
    assert quick.problems == () and quick.by_etag == 0 and quick.by_size > 0 and quick.by_sha256 > 0
    full = looked(full=True)
    assert full.problems == () and full.by_sha256 == full.files == quick.files
    again = looked(full=False)
    assert (again.by_etag, again.by_size, again.by_sha256) == (full.files, 0, 0)
    changed = "tokens/web/part-00001-00000.npy"
    flip(s3.file(f"verified/{changed}"))
    s3.uri()
    found = looked(full=False)  # the size is the same, the etag is not
    assert named(found) == [f"{root}/{changed}"] and (found.by_sha256, found.by_etag) == (1, full.files - 1)
    shutil.rmtree(made / "cache")
    assert named(looked(full=False)) == []  # nothing is remembered, and the size is right
    assert named(looked(full=True)) == [f"{root}/{changed}"]
    shutil.rmtree(made / "cache")
    (made / "cache").write_text("a file where the cache should be")
    assert "cannot" in (looked(full=True).not_remembered or "")
    s3.file("verified/mix/part-00000.npy").unlink()
    s3.uri()
    assert named(looked(full=False)) == [f"{root}/mix/part-00000.npy"]
