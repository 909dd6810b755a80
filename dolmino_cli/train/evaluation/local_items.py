"""GSM8K from files at hand, where the hub is out of reach: the test split, known by its content, and examples for the prompt."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dolmino_cli.errors import ConfigError, DataError, StorageError
from dolmino_cli.train.evaluation.gsm8k import ITEMS, item_number


@dataclass(frozen=True, kw_only=True)
class LocalItems:
    """Rows `question`, `answer` of the test split, and of what the prompt's worked examples are drawn from."""

    test: tuple[dict[str, str], ...]
    examples: tuple[dict[str, str], ...]


def read_local(test: Path, examples: Path | None) -> LocalItems:
    """Both files. `test` must be the 1,319 items of GSM8K's test split, in its order, `examples` none of them.

    Raises ConfigError for other items, DataError with the line of a row without question and answer.
    """
    items = tuple(_rows(test))
    numbers = [item_number(item) for item in items]
    if numbers != list(range(ITEMS)):
        known = len({number for number in numbers if number is not None})
        raise ConfigError(
            f"{test} is not GSM8K's test split in its order: of its {len(items):,} rows {known:,} are among the {ITEMS:,} items;"
            " give test.jsonl of openai/grade-school-math"
        )
    shown = tuple(_rows(examples)) if examples is not None else ()
    for line, example in enumerate(shown, 1):
        if item_number(example) is not None:
            raise DataError("is an item of GSM8K's test split; examples are of its train split", path=str(examples), line=line)
    return LocalItems(test=items, examples=shown)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with _opened(path) as file:
            for line, text in enumerate(file, 1):
                yield _row(text, path, line)
    except FileNotFoundError:
        raise ConfigError(f"no file {path}; give one of JSON lines with question and answer") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise StorageError(f"{path}: cannot be read: {error}") from None


def _opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _row(text: str, path: Path, line: int) -> dict[str, str]:
    try:
        row = json.loads(text)
    except ValueError:
        raise DataError("is no JSON", path=str(path), line=line) from None
    if isinstance(row, dict) and isinstance(row.get("question"), str) and isinstance(row.get("answer"), str):
        return {"question": row["question"], "answer": row["answer"]}
    raise DataError('has no "question" and "answer", both texts', path=str(path), line=line)
