"""Evaluation sets of every format, what is wrong with some, and the index that is made of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.sources.evaluation_index import IndexOptions, build_index
from dolmino_cli.sources.evaluation_sets import EvaluationSet, files_of, instances_of, load_sets
from tests.sources.make import make_index

ITEMS = [
    {"id": "q1", "split": "dev", "question": "What is blue?", "choices": {"text": ["the sky", "grass"]}, "gold": 0},
    {"id": "q2", "split": "test", "question": "What is wet?", "choices": {"text": ["water", "fire"]}, "gold": 1},
]
LINES = "".join(json.dumps(item) + "\n" for item in ITEMS).encode()


def texts(path: Path, *fields: str, **names: str) -> list[tuple[str, str, str, str]]:
    evaluation = EvaluationSet(path=str(path), fields=fields, **names)
    return [
        (found.task, found.split, found.id, found.text)
        for file in files_of(evaluation)
        for found in instances_of(evaluation, file)
    ]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".parquet", ".arrow"])
def test_every_format_gives_the_same_instances(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"colours{suffix}"
    table = pa.Table.from_pylist(ITEMS)
    if suffix == ".parquet":
        pq.write_table(table, path)
    elif suffix == ".arrow":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    else:
        data = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, lambda data: data)(LINES)
        path.write_bytes(json.dumps(ITEMS, indent=1).encode() if suffix == ".json" else data)
    assert texts(path, "question,choices.text", split_field="split", id="id") == [
        ("colours", "dev", "q1", "What is blue?\nthe sky\ngrass"),
        ("colours", "test", "q2", "What is wet?\nwater\nfire"),
    ]


def test_tables_have_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", b'question,answer\r\n"What, then?\nSay.",1\r\nWhy?,2\r\n')
    assert texts(path, "question", task="mine", split="all") == [
        ("mine", "all", "t.csv:3", "What, then?\nSay."),
        ("mine", "all", "t.csv:4", "Why?"),
    ]
    assert texts(write(tmp_path / "t.tsv", b"q\ta\nWhy?\t2\n"), "q,a") == [("t", "", "t.tsv:2", "Why?\n2")]


def test_several_groups_of_fields_make_several_instances_but_equal_texts_one(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", b'{"q": "Why?", "context": null}\n{"q": "How?", "context": "So."}\n')
    assert [row[2:] for row in texts(path, "q", "context,q")] == [
        ("t.jsonl:1#q", "Why?"),
        ("t.jsonl:2#q", "How?"),
        ("t.jsonl:2#context,q", "So.\nHow?"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.jsonl", b'{"q": "x"}\n{"p": "x"}\n', r"a\.jsonl:2: no field 'q' \('q' is missing\); there is: p"),
        ("a.jsonl", b'{"q": "x"}\n{"q": \n', r"a\.jsonl:2: not a JSON object"),
        ("a.jsonl", b'["x"]\n', r"a\.jsonl: not a JSON array of objects"),
        ("a.jsonl", b"", r"a\.jsonl: no items"),
        ("a.jsonl", b'{"q": {"text": "x"}}\n', r"a\.jsonl:1: the field 'q' is a dict of fields; name the one inside: q\.text"),
        ("a.jsonl", b'{"q": "\xff"}\n', r"a\.jsonl:1: not a JSON object"),
        ("a.jsonl.gz", gzip.compress(b'{"q": "x"}\n' * 999)[:-9], r"a\.jsonl\.gz:\d+: truncated"),
        ("a.csv", b"q,r\n1\n", r"a\.csv:2: a row of other length"),
        ("a.csv", b"p\nx\n", r"a\.csv:2: no field 'q'"),
        ("a.csv", b"q\n\xff\n", r"a\.csv: not UTF-8"),
        ("a.parquet", b"PAR1", r"a\.parquet: not a whole Parquet file"),
        ("a.arrow", b"x", r"a\.arrow: not a whole Arrow file"),
    ],
    ids="field line array empty object utf8 cut row header csv-utf8 parquet arrow".split(),
)
def test_malformed_sets_have_one_clear_error(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(DataError, match=problem):
        build_index([EvaluationSet(path=str(path), fields=("q",))], str(tmp_path / "out.index"), IndexOptions())
    assert not (tmp_path / "out.index").exists()


def test_wrong_requests(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no evaluation files found"):
        files_of(EvaluationSet(path=str(tmp_path), fields=("q",)))
    with pytest.raises(ConfigError, match="not a known kind of evaluation file"):
        texts(write(tmp_path / "a.txt", b"x"), "q")
    with pytest.raises(ConfigError, match="no field named"):
        EvaluationSet(path="a", fields=("",))
    with pytest.raises(ConfigError, match="task and task_field"):
        EvaluationSet(path="a", fields=("q",), task="a", task_field="b")
    with pytest.raises(ConfigError, match="n-grams of 33 words; allowed: 2 to 32"):
        IndexOptions(n=33)
    with pytest.raises(ConfigError, match="at least 0 words"):
        IndexOptions(shortest=0)


def test_a_yaml_lists_sets(tmp_path: Path) -> None:
    path = tmp_path / "evals.yaml"
    path.write_text("sets:\n  - {path: a.csv, fields: [q, 'c,q'], split: dev}\n")
    assert load_sets(path) == (EvaluationSet(path="a.csv", fields=("q", "c,q"), split="dev"),)
    path.write_text("sets:\n  - {path: a.csv, field: q}\n")
    with pytest.raises(ConfigError, match=r"evals\.yaml:2: sets\[0\]\.field: unknown key; did you mean 'fields'"):
        load_sets(path)


def test_the_same_sets_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    tasks = {"a": ["What is blue?", "x " * 30], "b": ["Is it?", "y\nz " * 9]}
    one, two = make_index(tmp_path / "one", tasks), make_index(tmp_path / "two", tasks)
    assert one.path.read_bytes() == two.path.read_bytes()


def test_what_an_index_says_of_itself(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"a": ["What is blue?", "The trachea", "x " * 9, ". . . ."], "b": ["x " * 8]})
    assert [(task.task, task.split, task.instances, task.whole, task.too_short) for task in index.tasks] == (
        [("a", "test", 4, 1, 2), ("b", "test", 1, 0, 0)]
    )
    assert [index.instance_text(number) for number in (1, 4)] == ["The trachea", "x " * 8]
    assert [index.task_of(number).task for number in range(5)] == ["a", "a", "a", "a", "b"]
    assert index.arrays["holders"][index.arrays["holder_places"][1] :].tolist() == [2, 4]
    assert index.file_bytes == index.path.stat().st_size


def test_many_words_grow_the_vocabulary(tmp_path: Path) -> None:
    texts = [" ".join(f"w{first + number}internationalisation" for number in range(50)) for first in range(0, 60_000, 50)]
    index = make_index(tmp_path, {"a": texts})
    shares, evidence = index.overlap(pa.array(texts[::100], pa.large_string()), stride=1)
    assert shares.tolist() == [[1.0, 1.0, 1.0]] * 12
    assert evidence[:, 0, 0].tolist() == list(range(0, 1200, 100))
