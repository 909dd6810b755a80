"""import -> export -> import: the lists are the same, and so is everything that was read beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.export_mix import ListFormat, plan_list, write_list
from dolmino_cli.mix.exchange.file_list import parse
from dolmino_cli.mix.exchange.import_mix import Imported, Wishes, import_mix, write_import
from tests.mix.exchange.make import imported, write_lines, write_olmo
from tests.mix.exchange.test_import import MIXTURE

TINY = Wishes(tokenizer="tiny")


def round_trip(first: Imported, folder: Path, to: ListFormat, wishes: Wishes) -> tuple[Imported, Imported]:
    """A configuration as it is read, and as its export is read."""
    _, files = write_import(first, str(folder))
    listed = parse(Path(files).read_text(), files)
    assert listed == first.files
    export = plan_list(listed, to, output=str(folder / "export"), prefix=None)
    write_list(export)
    return first, import_mix(export.path, wishes)


def check(first: Imported, second: Imported) -> None:
    assert second.files == first.files
    assert [(one.source, one.copies, one.held, one.listed) for one in second.pools] == [
        (one.source, one.copies, one.held, one.listed) for one in first.pools
    ]
    assert second.findings == first.findings
    assert second.run == first.run
    told = {**vars(second.manifest), "reference": first.manifest.reference}
    assert told == vars(first.manifest)


@pytest.mark.parametrize("pool", ["50B", "100B", "300B"])
def test_an_olmo_configuration(tmp_path: Path, pool: str) -> None:
    path = write_olmo(tmp_path, pool)
    first, second = round_trip(imported(pool), tmp_path / "out", "olmo", Wishes())
    check(first, second)
    listed = [line for line in path.read_text().splitlines() if line.strip().startswith(("#SOURCE", "- http"))]
    exported = Path(tmp_path / "out" / "export" / f"{first.files.name}.yaml").read_text().splitlines()
    assert [line for line in exported if line.strip().startswith(("#SOURCE", "- http"))] == listed


def test_an_olmo_configuration_without_comments(tmp_path: Path) -> None:
    check(*round_trip(import_mix(str(write_olmo(tmp_path, "50B", comments=False)), Wishes()), tmp_path / "out", "olmo", Wishes()))


@pytest.mark.parametrize("pool", ["50B", "100B", "300B"])
def test_an_olmo_core_mix(tmp_path: Path, pool: str) -> None:
    """Bare paths get their sources as labels, which OLMo-core wants; the paths and comments stay byte for byte."""
    path = write_lines(tmp_path, pool)
    first, second = round_trip(import_mix(str(path), Wishes()), tmp_path / "out", "olmo-core", Wishes())
    check(first, second)
    exported = (tmp_path / "out" / "export" / path.name).read_text()
    assert [line.rpartition(",")[2] for line in exported.splitlines()] == path.read_text().splitlines()
    again = shutil.copy(tmp_path / "out" / "export" / path.name, tmp_path / path.name)
    round_trip(import_mix(str(again), Wishes()), tmp_path / "again", "olmo-core", Wishes())
    assert (tmp_path / "again" / "export" / path.name).read_text() == exported


@pytest.mark.parametrize("whole", [True, False])
def test_a_source_mixture(tmp_path: Path, whole: bool) -> None:
    path, wishes = tmp_path / "mixture.yaml", TINY
    path.write_text(MIXTURE if whole else "# requested_tokens: 1000\n" + _list_of(MIXTURE))
    first, second = round_trip(import_mix(str(path), wishes), tmp_path / "out", "source-mixture", wishes)
    check(first, second)
    exported = (tmp_path / "out" / "export" / "mixture.yaml").read_text()
    assert exported.startswith("source_list:" if whole else "# requested_tokens: 1000\nsources:")


def test_one_form_becomes_another(tmp_path: Path) -> None:
    """The lists of the 100B pool hold the same files whichever form they go through; only scheme and host may go."""
    first = imported("100B")
    export = plan_list(first.files, "olmo-core", output=str(tmp_path / "dolmino.txt"), prefix=None)
    assert export.text.startswith("# base_dir: http://olmo-data.org/\n#SOURCE: http://")
    assert export.notes == ("1,253 paths have no {TOKENIZER}: OLMo-core's DataMix refuses them, its NumpyDatasetConfig does not",)
    write_list(export)
    second = import_mix(str(tmp_path / "dolmino.txt"), Wishes())
    assert [file.path for file in second.files.files] == [
        file.path.removeprefix("http://olmo-data.org/") for file in first.files.files
    ]
    assert [pool.listed for pool in second.pools] == [pool.listed for pool in first.pools]
    moved = plan_list(first.files, "olmo", output=str(tmp_path / "s3.yaml"), prefix="s3://ai2-llm/")
    write_list(moved)
    third = import_mix(str(tmp_path / "s3.yaml"), Wishes())
    assert third.files.files[0].path == first.files.files[0].path.replace("http://olmo-data.org/", "s3://ai2-llm/")
    assert third.findings == first.findings


def test_copies_of_a_list_become_repetitions_of_a_source_mixture(tmp_path: Path) -> None:
    first = imported("100B")
    export = plan_list(first.files, "source-mixture", output=str(tmp_path / "mixture.yaml"), prefix=None)
    write_list(export)
    mixture = import_mix(str(tmp_path / "mixture.yaml"), Wishes())
    assert first.listed is not None
    assert mixture.manifest.total_tokens == first.listed.tokens
    assert mixture.files.shares["math/tinygsm-mind/two-students"].max_repetition_ratio == 3
    assert mixture.files.shares["wiki"].target_ratio == pytest.approx(7.32 / 112.944, rel=1e-4)
    assert {pool.source: pool.files for pool in mixture.pools} == {pool.source: pool.files for pool in first.pools}


def test_what_a_form_cannot_say_is_refused(tmp_path: Path) -> None:
    mixture = tmp_path / "mixture.yaml"
    mixture.write_text(MIXTURE)
    with pytest.raises(ConfigError, match="a list of files cannot say"):
        plan_list(import_mix(str(mixture), TINY).files, "olmo", output="x", prefix=None)
    lines = tmp_path / "mix.txt"
    lines.write_text("web,{TOKENIZER}/a.npy\nweb,{TOKENIZER}/a.npy\nweb,{TOKENIZER}/b.npy\n")
    listed = import_mix(str(lines), TINY).files
    with pytest.raises(ConfigError, match="the tokens of web are not known"):
        plan_list(listed, "source-mixture", output="x", prefix=None)
    (tmp_path / "sizes" / "tiny").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "sizes" / "tiny" / f"{name}.npy").write_bytes(bytes(8))
    counted = import_mix(str(lines), Wishes(tokenizer="tiny", sizes=str(tmp_path / "sizes"))).files
    with pytest.raises(ConfigError, match="web lists some files more often than others"):
        plan_list(counted, "source-mixture", output="x", prefix=None)


def _list_of(mixture: str) -> str:
    """A SourceMixtureList: the sources alone."""
    body = mixture.partition("requested_tokens")[0].removeprefix("source_list:\n")
    return "".join(line.removeprefix("  ") for line in body.splitlines(keepends=True))
