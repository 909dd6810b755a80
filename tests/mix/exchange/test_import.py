"""Published configurations become manifests and lists that say the same, and what is odd about them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.bundled import find
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.import_mix import Wishes, import_mix, write_import
from dolmino_cli.mix.exchange.pools import Count
from dolmino_cli.mix.manifest import load
from dolmino_cli.mix.plan import plan
from dolmino_cli.mix.populations import find_populations
from dolmino_cli.shards.storage import Output
from tests.mix.exchange.make import imported, paths_of, write, write_lines, write_olmo
from tests.s3_server import S3Server


@pytest.mark.parametrize(
    ("pool", "entries", "unique", "billions", "consumed"),
    [("50B", 576, 576, "51.47", 97.2), ("100B", 1253, 697, "112.94", 88.6), ("300B", 2476, 992, "311.42", 96.4)],
)
def test_a_pool_has_the_published_counts(pool: str, entries: int, unique: int, billions: str, consumed: float) -> None:
    """Entries, unique files, tokens and the share of them that the run consumed, of the released configurations."""
    read = imported(pool)
    assert [file.path for file in read.files.files] == paths_of(pool)
    assert (len(read.files.files), sum(one.files for one in read.pools)) == (entries, unique)
    assert read.listed is not None
    assert f"{read.listed.tokens / 1e9:.2f}" == billions
    assert read.run is not None
    assert read.run.consumed_tokens is not None
    assert round(100 * read.run.consumed_tokens / read.listed.tokens, 1) == consumed


def test_sources_and_copies_of_the_100b_pool() -> None:
    pools = imported("100B").pools
    assert {pool.source: (pool.files, pool.times) for pool in pools} == {
        "math/tulumath": (22, 2),
        "math/dolmino-synthmath": (135, 2),
        "math/gsm8k": (2, 2),
        "math/metamath": (1, 2),
        "math/mathcoder2-synth": (102, 2),
        "math/tinygsm-mind/problem-solving": (92, 2),
        "math/tinygsm-mind/two-students": (92, 3),
        "stackexchange": (16, 2),
        "wiki": (2, 2),
        "flan": (92, 1),
        "pes2o": (4, 1),
        "dclm": (137, 1),
    }
    held = {pool.source: pool.held for pool in pools}
    assert held["math/tulumath"] == Count(tokens=233_120_000, within=15_000)
    assert held["wiki"] == Count(tokens=3_660_000_000, within=5_000_000)


def test_the_third_copy_of_two_students_and_the_doubled_wikipedia_are_named() -> None:
    found = imported("100B").findings
    assert found[0] == "math/tinygsm-mind/two-students: 92 files x3 where its group's others are x2"
    (doubled,) = (line for line in found if line.startswith("listed 2 times, Source % 200 of what is listed: "))
    assert "wiki (2 files)" in doubled
    assert "two-students" not in doubled
    assert not any("tinygsm" in line for line in imported("50B").findings)


@pytest.mark.parametrize("pool", ["50B", "100B", "300B"])
def test_a_pool_takes_what_the_bundled_mix_says_was_run(pool: str) -> None:
    """Two ways to the same: what is listed, and what mixes/ states of it by hand."""
    run = load(find("mixes", f"dolmino-1124-{pool.lower()}-as-run"))
    expected = {row.name: row.tokens for row in plan(run, find_populations(run)).sources}
    found = {row.name: row.tokens for row in plan(imported(pool).manifest, find_populations(imported(pool).manifest)).sources}
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_manifest_says_each_number_with_its_line(tmp_path: Path) -> None:
    path, read = write_olmo(tmp_path, "100B"), imported("100B")
    manifest_path, list_path = write_import(read, str(tmp_path / "out"))
    manifest = load(Path(manifest_path))
    assert manifest == read.manifest
    assert manifest.name == "OLMo2-stage2-100B"
    assert (manifest.tokenizer, manifest.seed) == ("allenai/dolma2-tokenizer", 1110)
    assert manifest.sources["wiki"].source_percent == 200
    assert manifest.training is not None
    assert (manifest.training.steps, manifest.training.batch_sequences) == (11931, 2048)
    assert manifest.training.learning_rate is not None
    assert manifest.training.learning_rate.start == 9e-5
    said = path.read_text().splitlines()
    text = Path(manifest_path).read_text()
    for key, value in (("seed", "1110"), ("steps", "11931"), ("batch_sequences", "2048")):
        (line,) = (one for one in text.splitlines() if one.strip().startswith(f"{key}: {value}"))
        number = int(line.partition("# line ")[2].split(":")[0])
        assert value in said[number - 1]
    assert Path(list_path).name == "OLMo2-stage2-100B.files.txt"
    wiki = text[text.index("  wiki:") :]
    first = int(wiki.partition("the first on line ")[2].split(")")[0])
    assert "documents/wiki" in said[first - 1]
    assert "documents/wiki" in said[first - 2]
    assert f"lines {first - 1}, " in wiki


def test_comments_and_empty_lines_between_the_files(tmp_path: Path) -> None:
    """The first comment may stand apart from its file; a commented-out file is none; the last block may be cut."""
    lines = [
        "data:",
        "  memmap_dtype: uint16",
        "  # not of the list (1MT)",
        "  paths:",
        "  #SOURCE: a/dolma2-tokenizer/ (2.00KT)",
        "",
    ]
    lines += ["  - a/dolma2-tokenizer/0.npy", "  # - a/dolma2-tokenizer/1.npy", "  #SOURCE: b (1.00KT)", "  #SOURCE: c (3.00KT)"]
    read = import_mix(str(write(tmp_path / "x.yaml", [*lines, "  - c/0.npy"])), Wishes())
    assert [(header.prefix, header.line, len(files)) for header, files in read.files.blocks() if header] == [
        ("a/dolma2-tokenizer/", 5, 1),
        ("b", 9, 0),
        ("c", 10, 1),
    ]
    assert read.listed == Count(tokens=5000, within=10)
    assert read.findings == ("the comment on line 9 (b) has no files below it",)


def test_a_list_of_bare_paths_is_the_same_mix(tmp_path: Path) -> None:
    """OLMo-core's first Dolmino lists are the same files without the host, and without any settings."""
    by_yaml, by_text = imported("100B"), import_mix(str(write_lines(tmp_path, "100B")), Wishes())
    assert [(one.source, one.copies, one.held, one.listed) for one in by_text.pools] == [
        (one.source, one.copies, one.held, one.listed) for one in by_yaml.pools
    ]
    assert by_text.files.files[0].path == paths_of("100B")[0].removeprefix("http://olmo-data.org/")
    assert by_text.files.tokenizer == "allenai/dolma2-tokenizer"
    assert by_text.run is None


def test_labels_name_sources_and_options_come_before_both(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mix.txt",
        ["# reasoning", "code meta,a/{TOKENIZER}/code/part-0.npy", "", "web,b/{TOKENIZER}/x.npy", "b/{TOKENIZER}/pile/y.npy"],
    )
    read = import_mix(str(path), Wishes(tokenizer="tiny", sources=("b/{TOKENIZER}/x=crawl",)))
    assert [(file.source, file.path) for file in read.files.files] == [
        ("code-meta", "a/{TOKENIZER}/code/part-0.npy"),
        ("crawl", "b/{TOKENIZER}/x.npy"),
        ("pile", "b/{TOKENIZER}/pile/y.npy"),
    ]
    assert "tokens are not known of code-meta, crawl, pile" in read.findings[-1]


def test_uneven_copies_within_a_source_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "mix.txt", [f"web,{{TOKENIZER}}/{name}.npy" for name in "aabcd"])
    read = import_mix(str(path), Wishes(tokenizer="tiny"))
    assert read.findings[0] == "web: listed unevenly: 3 files x1, 1 file x2; {TOKENIZER}/a.npy x2"
    assert read.manifest.sources["web"].source_percent == 125


def test_sizes_count_tokens_exactly(tmp_path: Path) -> None:
    stored = tmp_path / "stored" / "tiny"
    stored.mkdir(parents=True)
    for name, tokens in (("a", 10), ("b", 5)):
        (stored / f"{name}.npy").write_bytes(bytes(4 * tokens))
    path = write(tmp_path / "mix.txt", ["web,x/{TOKENIZER}/a.npy", "web,x/{TOKENIZER}/a.npy", "web,x/{TOKENIZER}/b.npy"])
    read = import_mix(str(path), Wishes(tokenizer="tiny", sizes=str(tmp_path / "stored")))
    (pool,) = read.pools
    assert (pool.held, pool.listed) == (Count(tokens=15), Count(tokens=25))
    assert read.manifest.sources["web"].tokens == 25
    published = read.manifest.sources["web"].published
    assert published is not None
    assert (published.tokens, published.within) == (15, 0)
    with pytest.raises(ConfigError, match="none of the 3 listed files is there"):
        import_mix(str(path), Wishes(tokenizer="other", sizes=str(tmp_path / "stored")))


def test_s3_is_read_counted_and_written_to(tmp_path: Path, s3: S3Server) -> None:
    there = Output(s3.uri("import"))
    there.put("mix.txt", b"web,x/{TOKENIZER}/a.npy\nweb,x/{TOKENIZER}/a.npy\n")
    there.put("x/tiny/a.npy", bytes(40))
    read = import_mix(there.path("mix.txt"), Wishes(tokenizer="tiny", sizes=s3.uri("import")))
    assert read.listed == Count(tokens=20)
    manifest, files = write_import(read, there.path("out"))
    assert there.read("out/mix.files.txt") == read.files.to_text().encode()
    assert (manifest, files) == (there.path("out/mix.yaml"), there.path("out/mix.files.txt"))


MIXTURE = """\
source_list:
  sources:
    - source_name: web_pages
      target_ratio: .75
      paths:
        # 21,390,279,634
        - gs://bucket/web/**/*.npy
    - source_name: math
      target_ratio: 0.25
      max_repetition_ratio: 2.0
      paths:
        - gs://bucket/math/a.npy
        - gs://bucket/math/b.npy
requested_tokens: 1000
global_batch_size: 200
seed: 7
"""


def test_a_source_mixture_keeps_its_ratios(tmp_path: Path) -> None:
    path = tmp_path / "mixture.yaml"
    path.write_text(MIXTURE)
    manifest = import_mix(str(path), Wishes(tokenizer="tiny")).manifest
    assert (manifest.total_tokens, manifest.seed) == (1000, 7)
    assert {name: source.mix_percent for name, source in manifest.sources.items()} == {"web_pages": 75, "math": 25}
    assert {name: source.max_epochs for name, source in manifest.sources.items()} == {"web_pages": 1, "math": 2}
    listed = MIXTURE.partition("requested_tokens")[0].replace("source_list:\n", "").replace("\n  ", "\n")[2:]
    path.write_text(listed)
    with pytest.raises(ConfigError, match="no requested_tokens"):
        import_mix(str(path), Wishes(tokenizer="tiny"))
    assert import_mix(str(path), Wishes(tokenizer="tiny", tokens=2000)).manifest.total_tokens == 2000


def test_ratios_that_numpy_takes_for_one_become_tokens(tmp_path: Path) -> None:
    """OLMo-core accepts sums that are off by 1e-5, and takes int(requested_tokens * target_ratio) of a source."""
    path = tmp_path / "mixture.yaml"
    path.write_text(MIXTURE.replace("0.25", "0.250004"))
    sources = import_mix(str(path), Wishes(tokenizer="tiny")).manifest.sources
    assert {name: source.tokens for name, source in sources.items()} == {"web_pages": 750, "math": 250}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.yaml", "x: 1\n", "no configuration that is known"),
        ("a.yaml", "data:\n  paths: []\n", "expected a list of paths"),
        ("a.yaml", "data:\n  paths:\n  - [1]\n", "a.yaml:3: data.paths: expected a path"),
        (
            "a.yaml",
            "tokenizer: {identifier: t}\ndata:\n  paths:\n  #SOURCE: x (1 M)\n  - y.npy\n",
            r"a.yaml:4: '#SOURCE: x \(1 M\)' is no source",
        ),
        (
            "a.yaml",
            "stop_at: ${n}\nglobal_train_batch_size: 2\nmodel: {max_sequence_length: 8}\n"
            "tokenizer: {identifier: t}\ndata:\n  paths:\n  - y.npy\n",
            r"stop_at is '\$\{n\}'; expected a whole number",
        ),
        ("a.yaml", MIXTURE.replace("0.25", "0.35"), "sum to 1.1; they must sum to 1"),
        (
            "a.yaml",
            MIXTURE.replace("paths:\n        - gs://bucket/math/a.npy", "path:\n        - x"),
            "unknown key; did you mean 'paths'",
        ),
        ("a.yaml", MIXTURE.replace("web_pages", "math"), "two sources are called 'math'"),
        ("a.txt", "web,b,c.npy\n", "a.txt:1: 'web,b,c.npy'; expected 'label,path/of/a/file.npy'"),
        ("a.txt", "# nothing\n", "lists no files"),
        (
            "a.txt",
            "q=1,x/dolma2-tokenizer/b.npy\nq-1,c.npy\n",
            "the labels 'q=1' and 'q-1' would both be source 'q-1'; name one with --source",
        ),
        ("a.txt", "a/b.npy\n", "does not say its tokenizer; give --tokenizer"),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_place(tmp_path: Path, name: str, content: str, expected: str) -> None:
    (tmp_path / name).write_text(content)
    wishes = Wishes(tokenizer="tiny") if "source_list" in content else Wishes()
    with pytest.raises(ConfigError, match=expected):
        import_mix(str(tmp_path / name), wishes)
