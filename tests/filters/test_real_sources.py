"""Real files through their recipes: no record is lost, and every count is what plain Python makes it."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard
from tokenizers import Tokenizer

from dolmino_cli.bundled import find
from dolmino_cli.errors import DataError
from dolmino_cli.recipe import load_recipe
from tests.filters import oracle
from tests.filters.make import run_recipe

SOURCES_PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"
# The executed side's own tokenizer is not among the sample data; this one is its descendant, the same but for a few words.
TOKENIZERS = {"paper": "allenai_dolma2.json", "ai2": "allenai_gpt-neox-olmo-dolma-v1_5.json"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Files of one kind through one recipe; `rule` gives the reason that a document is dropped for, or None."""

    recipe: str
    profile: str | None
    files: str
    rule: Callable[[str, float | None, oracle.Encode], str | None]
    overrides: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.recipe}-{self.profile}" if self.profile else self.recipe


CODE = "code/codesearchnet_python.docs.jsonl.zst code/mbxp-0000.jsonl.zst"
WEB = (
    "web/18f_blog-0000.parquet web/c4-0000.jsonl.gz web/html_full-0000.jsonl.gz web/email_spam-0000.jsonl.zst "
    "junk/repeats-0000.jsonl.zst"
)
CASES = [
    # The samples carry no stars.
    Case(recipe="starcoder", profile="paper", files=CODE, rule=oracle.starcoder_paper, overrides=("stars.missing=keep",)),
    Case(recipe="starcoder", profile="ai2", files=CODE, rule=oracle.starcoder_ai2, overrides=("stars.missing=keep",)),
    Case(recipe="codesearchnet", profile=None, files="code/codesearchnet_python.docs.jsonl.zst", rule=oracle.keep_all),
    Case(
        recipe="wiki",
        profile=None,
        files="wiki/enwiki-2021-0000.jsonl.zst wiki/enwiki-history-0000.jsonl.zst",
        rule=oracle.repeats_paper,
    ),
    Case(
        recipe="pes2o",
        profile=None,
        files="academic/acl_abstracts-0000.jsonl.gz academic/plos-0000.jsonl.zst academic/scitldr_abstracts-0000.jsonl.zst",
        rule=oracle.repeats_paper,
    ),
    Case(
        recipe="arxiv",
        profile=None,
        files="academic/redpajama_arxiv-0000.jsonl.zst academic/unarxive-0000.jsonl.zst",
        rule=oracle.repeats_paper,
    ),
    Case(
        recipe="algebraicstack",
        profile=None,
        files="math/metamath/nf-0000.jsonl.zst math/hott-book-0000.jsonl.zst",
        rule=oracle.repeats_paper,
    ),
    Case(
        recipe="gutenberg",
        profile=None,
        files="books/gutenberg-0000.jsonl.zst books/gutenberg_older_editions-0000.jsonl.zst",
        rule=oracle.keep_all,
    ),
    Case(recipe="dclm-pretrain", profile="paper", files=WEB, rule=oracle.repeats_paper),
    Case(recipe="dclm-pretrain", profile="ai2", files=WEB, rule=oracle.repeats_ai2),
]


def documents(path: Path) -> list[tuple[str, str]]:
    """(id, text) of every document, by nothing of ours."""
    if path.suffix == ".parquet":
        return [(row["id"], row["text"]) for row in pq.read_table(path, columns=["id", "text"]).to_pylist()]
    with path.open("rb") as file:
        raw: Any = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else gzip.GzipFile(fileobj=file)
        rows = [json.loads(line) for line in io.BufferedReader(raw).read().split(b"\n") if line]
    return [(row["id"], row["text"]) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_real_files_give_the_counts_of_plain_python(tmp_path: Path, shared_data: Path, case: Case) -> None:
    files = [shared_data / name for name in case.files.split()]
    tokenizer = shared_data / "tokenizers" / TOKENIZERS[case.profile or "paper"]
    encoder = Tokenizer.from_file(str(tokenizer))

    def encode(text: str) -> list[int]:
        ids: list[int] = encoder.encode(text, add_special_tokens=False).ids
        return ids

    overrides = list(case.overrides)
    if any(measure.into == "repetitions" for measure in load_recipe(find("filters", case.recipe), (), case.profile).measures):
        overrides.append(f"repetitions.tokenizer={tokenizer}")
    ran = run_recipe(case.recipe, case.profile, files, tmp_path / "out", overrides)
    expected = {name: case.rule(text, None, encode) for file in files for name, text in documents(file)}
    assert ran.reasons == expected
    assert (ran.counts["in"], ran.counts["quarantined"]) == (len(expected), 0)
    assert waterfall_row(case, ran.counts) in SOURCES_PAGE.read_text(), "the docs have the figures"


def waterfall_row(case: Case, counts: dict[str, Any]) -> str:
    dropped = ", ".join(f"{reason} {number:,}" for reason, number in counts["dropped"].items()) or "-"
    return f"| `{case.recipe}` | {case.profile or '-'} | {counts['in']:,} | {dropped} | {counts['kept']:,} |"


def test_code_without_stars_stops_at_its_first_document(tmp_path: Path, shared_data: Path) -> None:
    overrides = [f"repetitions.tokenizer={shared_data / 'tokenizers' / TOKENIZERS['paper']}"]
    with pytest.raises(DataError, match=r"codesearchnet_python\.docs\.jsonl\.zst:1: .* has no score 'stars'"):
        run_recipe("starcoder", "paper", [shared_data / CODE.split()[0]], tmp_path / "out", overrides)
