"""The list of files reads back as it was written, and refuses what is none."""

from __future__ import annotations

import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.exchange.file_list import FileList, Header, ListedFile, Share, parse
from dolmino_cli.mix.exchange.published import parse_names, source_of
from dolmino_cli.mix.exchange.source_comments import read_source_comment, write_source_comment

LIST = FileList(
    name="small",
    tokenizer="tiny",
    dtype="uint16",
    files=(
        ListedFile(path="a/b c.npy", source="web"),
        ListedFile(path="s3://b/x.npy", source="math/gsm8k", tokens=7),
        ListedFile(path="s3://b/x.npy", source="math/gsm8k", tokens=7),
    ),
    headers=(Header(before=1, prefix="s3://b/", tokens=14, exact=True), Header(before=3, prefix="p", tokens=None, exact=False)),
    settings={"stop_at": "10", "optimizer.learning_rate": "9e-5"},
    shares={"web": Share(target_ratio=0.01726315213, max_source_fraction=0.5)},
)
TEXT = LIST.to_text()


def test_a_list_reads_back() -> None:
    assert parse(TEXT, "x.files.txt") == LIST
    assert [(header and header.prefix, len(files)) for header, files in LIST.blocks()] == [(None, 1), ("s3://b/", 2), ("p", 0)]


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("#dolmino file list\t1", "#dolmino file list\t2", "x:1: is no file list"),
        ("#name\tsmall\n", "", "the list says no #name"),
        ("#dtype\tuint16", "#dtype\tuint8", "#dtype is 'uint8'; allowed: uint16, uint32"),
        ("#dtype\tuint16", "#dtype\tuint16\n#dtype\tuint16", "x:5: #dtype is given twice"),
        ("\tweb\t?", "\tweb", "x:8: has 2 values; expected PATH, SOURCE, TOKENS"),
        ("\tweb\t?", "\tweb\t1.5", "x:8: tokens are '1.5'; expected a whole number"),
        ("\tweb\t?", "\tweb\t?\n#setting\ta\tb", "x:9: #setting stands below the first file"),
        ("14\texact", "14\tabout", "x:9: 'about'; allowed: exact, rounded"),
        ("0.5\n", "half\n", "x:7: 'half' is no number"),
        ("#setting\tstop_at", "#set\tstop_at", "x:5: '#set' is not known"),
        ("rounded\n", "rounded", "was cut short"),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(before: str, after: str, problem: str) -> None:
    assert before in TEXT
    with pytest.raises(DataError, match=problem.replace("?", r"\?")):
        parse(TEXT.replace(before, after, 1), "x")


@pytest.mark.parametrize(
    ("text", "tokens", "exact"),
    [
        ("    #SOURCE: http://a/b/ (191.58MT)", 191_580_000, False),
        ("# SOURCE: a (3.09BT)", 3_090_000_000, False),
        ("#SOURCE: a (12T)", 12, False),
        ("#SOURCE: a (0.19KT) = 187 tokens", 187, True),
    ],
)
def test_source_comments(text: str, tokens: int, exact: bool) -> None:
    header = read_source_comment(text, path="x", line=3, before=0)
    assert header is not None
    assert (header.tokens, header.exact) == (tokens, exact)
    assert read_source_comment(write_source_comment(header), path="x", line=3, before=0) == header
    assert read_source_comment("# another comment (1MT)", path="x", line=3, before=0) is None


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("http://olmo-data.org/preprocessed/tinyGSM/mind/dolma2-tokenizer/part-1-00000.npy", "math/tinygsm-mind/problem-solving"),
        ("s3://ai2-llm/preprocessed/tinyGSM/mind-2students/dolma2-tokenizer/part-1.npy", "math/tinygsm-mind/two-students"),
        ("preprocessed/gsm8k-synth/resample_v1_6x/dolma2-tokenizer/part-0-00000.npy", "math/dolmino-synthmath"),
        ("preprocessed/gsm8k/v0_main_train/allenai/dolma2-tokenizer/part-0-00000.npy", "math/gsm8k"),
        ("gs://ai2-llm/preprocessed/reddit-rewrites/documents/allenai/dolma2-tokenizer/*.npy", "reddit-rewrites"),
        ("preprocessed/proof-pile-2/v0_decontaminated/algebraic-stack/train/{TOKENIZER}/part-00-00000.npy", "algebraic-stack"),
        ("s3://ai2-llm/preprocessed/tinyGSM/inline_comments/dolma2-tokenizer/part-86-00000.npy", "math/tinygsm"),
        ("s3://ai2-llm/preprocessed/personahub_math_v2_79975/part-0-00000.npy", "math/tulumath"),
        ("part-0.npy", "unnamed"),
    ],
)
def test_sources_of_paths(path: str, source: str) -> None:
    assert source_of(path, named={}) == source


def test_the_longest_name_given_decides() -> None:
    named = parse_names(["preprocessed/a=one", "preprocessed/a/b=two"])
    assert source_of("s3://x/preprocessed/a/b/c.npy", named=named, label="label") == "two"
    assert source_of("preprocessed/a/c.npy", named=named) == "one"
    assert source_of("preprocessed/d/c.npy", named=named, label="a label/x") == "a-label/x"
    with pytest.raises(ConfigError, match="two names, 'one' and 'two'"):
        parse_names(["a=one", "a=two"])
