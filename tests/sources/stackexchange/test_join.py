"""A question and the answer that it accepts, whatever their order and place: every row counted once, every run the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.executors.local import Local
from dolmino_cli.sources.stackexchange.join import join, join_shards, plan_join, split_dumps
from tests.pipeline.make import read_rows, tree
from tests.s3_server import S3Server
from tests.sources.stackexchange.make import answer, documents, posts, question, row, write, write_7z

SMALL = [
    question(1, accepts=2, score=3),
    answer(2, to=1, score=5),
    question(3, accepts=4, score=2),  # too few votes
    answer(4, to=3, score=50),
    question(5, accepts=6, score=9),
    answer(6, to=5, score=4),  # too few votes
    question(7),  # no accepted answer
    answer(8, to=7),
    question(9, accepts=99),  # not in the dump
    question(10, accepts=0),
    question(11, accepts=8),  # the answer of another question
    row(Id=12, PostTypeId=5, Body="about a tag"),
    answer(13, to=1),
    question(14, accepts=15, AnswerCount=0),
    answer(15, to=14),
]
COUNTS = {
    "in": 15,
    "kept": 6,
    "quarantined": 0,
    "questions": 8,
    "answers": 6,
    "documents": 3,
    "dropped": {
        "other_post_type": 1,
        "question_without_accepted_answer": 2,
        "question_score": 1,
        "question_whose_answer_has_low_score": 1,
        "question_whose_answer_is_missing": 1,
        "answer_not_accepted": 2,
        "answer_score": 1,
    },
}


def ids(output: Path) -> list[str]:
    return [document["id"] for document in documents(output)]


def test_every_row_is_counted_once(tmp_path: Path) -> None:
    counts = join([str(write(tmp_path / "in", "x.com", posts(SMALL)))], output=str(tmp_path / "out"))
    assert counts == COUNTS
    assert ids(tmp_path / "out") == ["x.com-1-2", "x.com-11-8", "x.com-14-15"]


def test_ai2_wants_an_answer_count(tmp_path: Path) -> None:
    counts = join([str(write(tmp_path / "in", "x.com", posts(SMALL)))], output=str(tmp_path / "out"), profile="ai2")
    assert ids(tmp_path / "out") == ["x.com-1-2", "x.com-11-8"]
    assert counts["dropped"]["question_with_answer_count_0"] == 1
    assert counts["in"] == counts["kept"] + sum(counts["dropped"].values()) == 15


@pytest.mark.parametrize(("question_score", "answer_score", "pairs"), [(None, None, 5), (3, None, 4), (None, 5, 4), (4, 4, 1)])
def test_scores(tmp_path: Path, question_score: int | None, answer_score: int | None, pairs: int) -> None:
    counts = join(
        [str(write(tmp_path / "in", "x.com", posts(SMALL)))],
        output=str(tmp_path / "out"),
        min_question_score=question_score,
        min_answer_score=answer_score,
    )
    assert counts["documents"] == len(ids(tmp_path / "out")) == pairs


def test_a_document_has_all_of_a_pair(tmp_path: Path) -> None:
    rows = [
        question(1, accepts=2, ContentLicense="CC BY-SA 4.0", Body="<p>one &amp; two</p>\n\n<p>three</p>", Title="1 < 2"),
        answer(2, to=1, ContentLicense="CC BY-SA 3.0", Body="<pre><code>a\n\n\nb</code></pre>", score=7),
    ]
    write(tmp_path / "in", "x.com", posts(rows))
    expected = {
        "id": "x.com-1-2",
        "text": "1 < 2\n\n\none & two\n\nthree\n\n\n\na\n\n\nb",
        "source": "stackexchange",
        "added": "2020-01-03T00:00:00.000Z",
        "created": "2020-01-01T00:00:00.001Z",
        "metadata": {
            "forum": "x.com",
            "question_id": 1,
            "answer_id": 2,
            "question_score": 3,
            "answer_score": 7,
            "question_views": 10,
            "question_license": "CC BY-SA 4.0",
            "answer_license": "CC BY-SA 3.0",
            "tags": ["a", "b"],
        },
    }
    join([str(tmp_path / "in")], output=str(tmp_path / "paper"))
    assert documents(tmp_path / "paper") == [expected]
    join([str(tmp_path / "in")], output=str(tmp_path / "ai2"), profile="ai2")
    text = "1 < 2\n\n\n\none & two\n\nthree\n\n\n\na\n\n\nb"
    assert documents(tmp_path / "ai2") == [{**expected, "text": text}]


def test_what_a_post_lacks(tmp_path: Path) -> None:
    rows = [row(Id=1, PostTypeId=1, AcceptedAnswerId=2), row(Id=2, PostTypeId=2)]
    join(
        [str(write(tmp_path / "in", "x.com", posts(rows)))],
        output=str(tmp_path / "out"),
        min_question_score=0,
        min_answer_score=0,
    )
    (document,) = documents(tmp_path / "out")
    assert document["text"] == "\n\n\n\n"
    assert (document["added"], document["created"]) == (None, None)
    assert document["metadata"]["question_license"] is None
    assert (document["metadata"]["tags"], document["metadata"]["question_score"]) == ([], 0)


def many(count: int, step: int = 1) -> list[bytes]:
    """Questions each before their answer, but every tenth after it; ids that go over several partitions and shards."""
    rows = []
    for number in range(1, count * step, 2 * step):
        pair = [question(number, accepts=number + 1), answer(number + 1, to=number)]
        rows += reversed(pair) if number % 10 == 1 else pair
    return rows


def test_order_is_by_answer_over_all_partitions(tmp_path: Path) -> None:
    rows = many(4000, step=401)
    join([str(write(tmp_path / "in", "x.com", posts(rows)))], output=str(tmp_path / "out"))
    assert len(list((tmp_path / "out/documents/x.com").iterdir())) == 4
    assert ids(tmp_path / "out") == [f"x.com-{n}-{n + 1}" for n in range(1, 4000 * 401, 802)]
    join([str(write(tmp_path / "shuffled", "x.com", posts(rows[::-1])))], output=str(tmp_path / "out2"))
    assert tree(tmp_path / "out") == tree(tmp_path / "out2")


def test_questions_that_accept_far_ahead(tmp_path: Path) -> None:
    rows = [question(1, accepts=9_000_000), question(2, accepts=40_000), answer(40_000, to=2), answer(9_000_000, to=1)]
    join([str(write(tmp_path / "in", "x.com", posts(rows)))], output=str(tmp_path / "out"))
    assert ids(tmp_path / "out") == ["x.com-2-40000", "x.com-1-9000000"]


@pytest.mark.parametrize("twice", [SMALL[0], SMALL[1], SMALL[5]], ids=["question", "answer", "low answer"])
def test_a_post_that_stands_twice_is_refused(tmp_path: Path, twice: bytes) -> None:
    write(tmp_path / "in", "x.com", posts([*SMALL, twice]))
    with pytest.raises(DataError, match=r"Posts\.xml: the (question|answer) with Id \d stands in it 2 times"):
        join([str(tmp_path / "in")], output=str(tmp_path / "out"))


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    for number in range(5):
        write(tmp_path / "in", f"s{number}.com", posts(many(300 * number, step=300)))
    return tmp_path / "in"


def test_any_number_of_workers_gives_the_same(tmp_path: Path, sites: Path) -> None:
    one = join([str(sites)], output=str(tmp_path / "one"), workers=1)
    assert join([str(sites)], output=str(tmp_path / "two"), workers=2) == one
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert not (tmp_path / "one/.scratch").exists()


def test_archives_give_the_same_as_plain_files(tmp_path: Path, sites: Path) -> None:
    import py7zr

    for number in range(5):
        content = (sites / f"s{number}.com/Posts.xml").read_bytes()
        if number == 3:  # Stack Overflow's way
            write_7z(tmp_path / "7z/s3.com-Posts.7z", {"Posts.xml": content}, filters=[{"id": py7zr.FILTER_BZIP2}])
            write_7z(tmp_path / "7z/s3.com-Badges.7z", {"Badges.xml": b"<badges/>"})
        else:
            members = {"Badges.xml": b"<badges/>" * 999, "Posts.xml": content, "Votes.xml": b"<votes/>"}
            write_7z(tmp_path / f"7z/s{number}.com.7z", members)
    join([str(sites)], output=str(tmp_path / "xml"))
    join([str(tmp_path / "7z")], output=str(tmp_path / "out"))
    assert tree(tmp_path / "xml") == tree(tmp_path / "out")


KILLED = """
import os, signal, sys
from dolmino_cli.sources.stackexchange import {module}
original, calls = {module}.{function}, []
def killing(*arguments, **options):
    calls.append(1)
    if len(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)
{module}.{function} = killing
from dolmino_cli.sources.stackexchange.join import join
join([sys.argv[1]], output=sys.argv[2])
"""


@pytest.mark.parametrize(
    ("module", "function", "call", "splits_kept", "shards_kept"),
    [("tasks", "_sort_out", 3, 1, 0), ("tasks", "pair_partition", 20, 5, 1), ("tasks", "site_entry", 2, 5, 1)],
)
def test_a_killed_run_goes_on(
    tmp_path: Path, sites: Path, module: str, function: str, call: int, splits_kept: int, shards_kept: int
) -> None:
    write(sites, "s9.com", posts(many(2000, step=601)))
    output = tmp_path / "out"
    code = KILLED.format(module=module, function=function, call=call)
    done = subprocess.run([sys.executable, "-c", code, str(sites), str(output)], capture_output=True, env=os.environ)
    assert done.returncode == -9, done.stderr
    plan = plan_join([str(sites)], output=str(output))
    assert len(plan.splits) + len(plan.sites) >= splits_kept
    assert len(plan.shards) >= shards_kept
    written = [path.stat().st_mtime_ns for path in sorted((output / "documents").rglob("*.zst"))] if shards_kept else []
    join([str(sites)], output=str(output))
    again = [path.stat().st_mtime_ns for path in sorted((output / "documents").rglob("*.zst"))]
    assert len(set(written) & set(again)) >= shards_kept
    join([str(sites)], output=str(tmp_path / "clean"))
    assert tree(output) == tree(tmp_path / "clean")


def test_a_finished_run_is_not_run_again(tmp_path: Path, sites: Path) -> None:
    counts = join([str(sites)], output=str(tmp_path / "out"))
    plan = plan_join([str(sites)], output=str(tmp_path / "out"))
    assert (plan.left, plan.to_split, plan.to_join) == ([], [], [])
    assert join([str(sites)], output=str(tmp_path / "out")) == counts


def test_a_shard_whose_entry_is_gone_is_made_again(tmp_path: Path, sites: Path) -> None:
    join([str(sites)], output=str(tmp_path / "out"))
    before = tree(tmp_path / "out")
    (tmp_path / "out/ledger/s4.com/00000.json").unlink()
    (tmp_path / "out/documents/s4.com/00000.jsonl.zst").unlink()
    join([str(sites)], output=str(tmp_path / "out"))
    assert tree(tmp_path / "out") == before


def test_another_run_is_refused(tmp_path: Path, sites: Path) -> None:
    join([str(sites)], output=str(tmp_path / "out"))
    with pytest.raises(ConfigError, match=r"min_answer_score: 5 -> 6"):
        join([str(sites)], output=str(tmp_path / "out"), min_answer_score=6)
    with pytest.raises(ConfigError, match=r"holds results of 's0\.com.*', which is not among the dumps now"):
        join([str(sites / "s1.com")], output=str(tmp_path / "out"))
    os.utime(sites / "s2.com/Posts.xml", (1, 1))
    with pytest.raises(ConfigError, match=r"input\.etag"):
        join([str(sites)], output=str(tmp_path / "out"))


def test_one_bad_dump_does_not_stop_the_others(tmp_path: Path, sites: Path) -> None:
    good = (sites / "s2.com/Posts.xml").read_bytes()
    write(sites, "s2.com", good.removesuffix(b"</posts>"))
    with pytest.raises(DataError, match=r"s2\.com/Posts\.xml:\d+: the file ends before </posts>"):
        join([str(sites)], output=str(tmp_path / "out"))
    write(sites, "s2.com", good)
    plan = plan_join([str(sites)], output=str(tmp_path / "out"))
    assert [dump.site for dump in plan.to_split] == ["s2.com"]
    assert not (tmp_path / "out/.scratch/s2.com").exists()
    join([str(sites)], output=str(tmp_path / "out"))
    join([str(sites)], output=str(tmp_path / "clean"))
    assert tree(tmp_path / "out") == tree(tmp_path / "clean")


def test_faulty_rows_are_set_aside_and_counted(tmp_path: Path) -> None:
    bad = question(77, accepts=2, Score="many")
    write(tmp_path / "in", "x.com", posts([*SMALL, bad]))
    counts = join([str(tmp_path / "in")], output=str(tmp_path / "out"), on_error="quarantine")
    assert counts == {**COUNTS, "in": 16, "quarantined": 1}
    (record,) = read_rows(tmp_path / "out/quarantine/x.com.parquet")
    assert record["line"] == 18
    assert record["reason"] == "Score 'many' is not an integer (of at most 18 digits)"
    assert record["record"] == bad.strip()


def test_s3_in_and_out(tmp_path: Path, s3: S3Server) -> None:
    content = posts(SMALL)
    write_7z(s3.file("dumps/a.com.7z"), {"Posts.xml": content})
    s3.file("dumps/b.com/Posts.xml").write_bytes(content)
    write(tmp_path / "in", "a.com", content)
    write(tmp_path / "in", "b.com", content)
    join([s3.uri("dumps")], output=s3.uri("joined"), scratch=str(tmp_path / "scratch"))
    join([str(tmp_path / "in")], output=str(tmp_path / "out"))
    assert tree(s3.file("joined")) == tree(tmp_path / "out")
    assert plan_join([s3.uri("dumps")], output=s3.uri("joined"), scratch=str(tmp_path / "scratch")).left == []


def test_progress_names_each_dump_and_shard(tmp_path: Path, sites: Path) -> None:
    plan = plan_join([str(sites)], output=str(tmp_path / "out"))
    assert sorted(dump.site for dump in split_dumps(plan, Local())) == [f"s{number}.com" for number in range(5)]
    entries: list[Any] = list(join_shards(plan, Local()))
    assert sorted(entry.name for entry in entries) == [f"s{number}.com/00000" for number in range(1, 5)]
