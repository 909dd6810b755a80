"""Every document of a run through the independent evaluator, and what the run is made of.

Usage: python -m tests.sources.arithmetic.check_run FOLDER
Exits 1 at the first statement that is not true or not understood. 11M tokens take some minutes.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

from tests.pipeline.make import read_lines
from tests.sources.arithmetic.evaluator import NotUnderstoodError
from tests.sources.arithmetic.reading import check

DIGITS = ("1", "2", "3", "4", "5", "6 or more", "decimal")


def main(folder: str) -> int:
    """Check all, then print figures. Returns the exit code."""
    operations: Counter[str] = Counter()
    digits: Counter[str] = Counter()
    texts, templates, equations = set(), set(), 0
    for path in sorted(Path(folder, "documents").iterdir()):
        for line in read_lines(path):
            document = json.loads(line)
            metadata = document["metadata"]
            try:
                check(document["text"], metadata["equations"])
            except (AssertionError, NotUnderstoodError) as error:
                print(f"{document['id']}: {document['text']!r}: {error}")
                return 1
            operations[metadata["operation"]] += 1
            equations += len(metadata["equations"])
            texts.add(hash(document["text"]))
            templates.add(metadata["template"])
            for equation in metadata["equations"]:
                digits.update(map(_digits, re.findall(r"\d+(?:\.\d+)?", re.split(" [=<] ", equation)[0])))
    documents = operations.total()
    print(f"{documents:,} documents with {equations:,} equations, all true and all understood")
    print(f"{len(templates):,} templates; {100 * (1 - len(texts) / documents):.2f} % of the texts stood before")
    for name, count in operations.most_common():
        print(f"| `{name}` | {100 * count / documents:.1f} % |")
    print(" | ".join(f"{name}: {100 * digits[name] / digits.total():.1f} %" for name in DIGITS))
    return 0


def _digits(number: str) -> str:
    return "decimal" if "." in number else str(len(number)) if len(number) < 6 else "6 or more"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
