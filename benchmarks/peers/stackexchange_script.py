"""The join as one would write it at first: ElementTree over Posts.xml, questions and answers in dictionaries.

Usage: stackexchange_script.py Posts.xml OUTPUT.jsonl.zst
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import zstandard
from resiliparse.extract.html2text import extract_plain_text


def run_of(text: str) -> int:
    """The longest run of line feeds."""
    return max([1, *map(len, re.findall("\n+", text))])


def main(source: str, target: str) -> None:
    """Join one site."""
    questions, answers = [], {}
    for _, row in ElementTree.iterparse(source):
        if row.get("PostTypeId") == "1" and row.get("AcceptedAnswerId") and int(row.get("Score", 0)) >= 3:
            questions.append(dict(row.attrib))
        elif row.get("PostTypeId") == "2" and int(row.get("Score", 0)) >= 5:
            answers[row.get("Id")] = dict(row.attrib)
        row.clear()
    with Path(target).open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as out:
        for question in questions:
            answer = answers.get(question["AcceptedAnswerId"])
            if answer is None:
                continue
            asked, told = (extract_plain_text(post["Body"]).strip() for post in (question, answer))
            separator = "\n" * (max(run_of(asked), run_of(told)) + 1)
            document = {
                "id": f"x-{question['Id']}-{answer['Id']}",
                "text": question["Title"].strip() + "\n" * (run_of(asked) + 1) + asked + separator + told,
                "source": "stackexchange",
                "added": answer["LastActivityDate"],
                "created": question["CreationDate"],
                "metadata": {"question_score": int(question["Score"]), "answer_score": int(answer["Score"])},
            }
            out.write(json.dumps(document, ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
