"""All sites of the sample data: pairs and texts as an independent count finds them, and as the data's README says."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import zstandard

from dolmino_cli.sources.stackexchange.join import join
from tests.pipeline.make import tree
from tests.sources.stackexchange.make import documents, write, write_7z

SITES = [
    "ai.stackexchange.com",
    "beer.stackexchange.com",
    "datascience.meta.stackexchange.com",
    "matheducators.stackexchange.com",
]


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "stackexchange"


@pytest.fixture(scope="module")
def rows(folder: Path) -> dict[str, list[dict[str, str]]]:
    return {site: [element.attrib for element in ElementTree.fromstring(unpacked(folder, site))] for site in SITES}


def unpacked(folder: Path, site: str) -> bytes:
    with (folder / site / "Posts.xml.zst").open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def readme_row(folder: Path, title: str) -> list[int]:
    """The numbers of a row of the table of sites in the data's README, in the order of SITES."""
    text = (folder.parent / "README.md").read_text().replace("&gt;", ">")
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
    return [int(cell.strip().replace(",", "")) for cell in line.strip("| ").split("|")[1:]]


def pairs(
    posts: list[dict[str, str]], question_score: int, answer_score: int
) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """By document id; the obvious way, in memory."""
    answers = {post["Id"]: post for post in posts if post["PostTypeId"] == "2"}
    found = {}
    for post in posts:
        answer = answers.get(post.get("AcceptedAnswerId", ""))
        if post["PostTypeId"] != "1" or answer is None:
            continue
        if int(post["Score"]) >= question_score and int(answer["Score"]) >= answer_score:
            found[f"{post['Id']}-{answer['Id']}"] = post, answer
    return found


def expected_text(question: dict[str, str], answer: dict[str, str], *, ai2: bool) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    bodies = [extract_plain_text(post["Body"]).strip() for post in (question, answer)]
    longest = [max([1, *map(len, re.findall("\n+", body))]) for body in bodies]
    separators = ["\n" * (longest[1 if ai2 else 0] + 1), "\n" * (max(longest) + 1)]
    return question["Title"].strip() + separators[0] + bodies[0] + separators[1] + bodies[1]


@pytest.mark.parametrize("profile", ["paper", "ai2"])
def test_documents_are_those_of_an_independent_join(
    tmp_path: Path, folder: Path, rows: dict[str, list[dict[str, str]]], profile: Any
) -> None:
    counts = join([str(folder)], output=str(tmp_path), profile=profile)
    found = {document["id"]: document for document in documents(tmp_path)}
    expected = {f"{site}-{key}": pair for site in SITES for key, pair in pairs(rows[site], 3, 5).items()}
    assert found.keys() == expected.keys()
    assert counts["documents"] == len(expected) == sum(readme_row(folder, "accepted, question >= 3 and that answer >= 5"))
    for key, (question, answer) in expected.items():
        assert found[key]["text"] == expected_text(question, answer, ai2=profile == "ai2")
        metadata = found[key]["metadata"]
        assert (metadata["question_score"], metadata["answer_score"]) == (int(question["Score"]), int(answer["Score"]))
        assert metadata["question_license"] == question.get("ContentLicense")
        assert metadata["tags"] == re.findall(r"[^<>|]+", question["Tags"])
        assert (found[key]["created"], found[key]["added"]) == (question["CreationDate"] + "Z", answer["LastActivityDate"] + "Z")


def test_the_profiles_differ_in_texts_only(tmp_path: Path, folder: Path) -> None:
    for profile in ("paper", "ai2"):
        join([str(folder)], output=str(tmp_path / profile), profile=profile)  # type: ignore[arg-type]
    paper, ai2 = (documents(tmp_path / profile) for profile in ("paper", "ai2"))
    assert [one["id"] for one in paper] == [one["id"] for one in ai2]
    different = sum(one["text"] != other["text"] for one, other in zip(paper, ai2, strict=True))
    assert 0 < different < len(paper)
    assert all(one["text"].split() == other["text"].split() for one, other in zip(paper, ai2, strict=True))


@pytest.mark.parametrize("place", range(len(SITES)), ids=SITES)
def test_counts_are_those_of_the_readme(tmp_path: Path, folder: Path, place: int) -> None:
    site = SITES[place]
    counts = join([str(folder / site)], output=str(tmp_path), min_question_score=None, min_answer_score=None)
    figures = {
        title: readme_row(folder, title)[place]
        for title in (
            "rows",
            "questions (type 1)",
            "answers (type 2)",
            "questions with AcceptedAnswerId",
            "of these, answer row missing",
        )
    }
    assert [counts["in"], counts["questions"], counts["answers"]] == list(figures.values())[:3]
    assert counts["documents"] == figures["questions with AcceptedAnswerId"]
    assert counts["dropped"]["question_whose_answer_is_missing"] == figures["of these, answer row missing"]
    assert counts["in"] == counts["kept"] + sum(counts["dropped"].values())
    found = documents(tmp_path)
    accepted = [one for one in found if one["metadata"]["question_score"] >= 3]
    assert len(accepted) == readme_row(folder, "accepted, question score >= 3")[place]


def test_packing_and_workers_change_nothing(tmp_path: Path, folder: Path) -> None:
    for site in SITES:
        content = unpacked(folder, site)
        write(tmp_path / "plain", site, content)
        write_7z(tmp_path / f"7z/{site}.7z", {"Badges.xml": b"<badges></badges>", "Posts.xml": content})
    join([str(folder)], output=str(tmp_path / "one"))
    join([str(tmp_path / "plain")], output=str(tmp_path / "two"), workers=2)
    join([str(tmp_path / "7z")], output=str(tmp_path / "three"), workers=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two") == tree(tmp_path / "three")
