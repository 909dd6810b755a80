"""The page shows the figures, the same bytes every time, and whatever a document says stays text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dolmino_cli.report.figures.gathered import gather
from dolmino_cli.report.page.document import html_page
from dolmino_cli.report.page.markup import foreign, node, page_bytes
from dolmino_cli.report.phrases import visible
from tests.report.make import documents, make_mix, run_filter, write_run, write_summary

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=https://example.org/x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "&lt;b&gt; &amp;",
    "a\x00b\x1b[31mc\x7f",
    "\u202eRTL \u05e9\u05dc\u05d5\u05dd",
    "]]>--><!--",
    "a" * 300,
]


class Page(HTMLParser):
    """What a browser would find: tags, attributes that load something, text per element."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loading: list[tuple[str, str | None]] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loading += [
            (name, value) for name, value in attrs if name in ("src", "href", "srcset", "action", "data", "xlink:href")
        ]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(*folders: Path, title: str | None = None, examples: int = 3) -> bytes:
    return html_page(gather([str(folder) for folder in folders], examples=examples), title=title, open_examples=False)


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Path, Path]:
    """A run and a mix."""
    run_filter(tmp_path, {"a.jsonl": documents(1, 9, 2, 3, 50, 700)}, rejects=True)
    return tmp_path / "out", make_mix(tmp_path)


def test_equal_folders_give_equal_bytes_wherever_they_lie(tmp_path: Path) -> None:
    pages = []
    for place in ("one", "elsewhere"):
        folder = tmp_path / place
        folder.mkdir()
        run_filter(folder, {"a.jsonl": documents(1, 9, 2, 3)}, rejects=True)
        write_run(folder / "by-hand", {"x": [0.1, 0.9]}, {"score": "x", "at_least": 0.5})
        pages.append(page_of(folder / "out", folder / "by-hand"))
    assert pages[0] == pages[1]


def test_it_asks_for_nothing_else(whole: tuple[Path, Path]) -> None:
    data = page_of(*whole)
    page = Page(data)
    assert b"Content-Security-Policy" in data
    assert {"script", "iframe", "img", "object", "form"}.isdisjoint(page.tags)
    assert [value for _, value in page.loading if value is not None and not value.startswith("#")] == ["data:,"]
    assert re.findall(rb"url\(|@import|https?://", data) == []


def test_every_figure_is_on_the_page(whole: tuple[Path, Path]) -> None:
    page = Page(page_of(*whole))
    assert "6 documents in = 4 kept + 2 dropped + 0 quarantined" in page.text
    assert page.tags.count("figure") == 1
    assert page.tags.count("details") == 1
    for text in ("small", "math/a", "22.76 %", "22.5 %", "200.00 %", "246", "characters >= 3", "15 windows of 16 tokens"):
        assert text in page.text
    assert page.tags.count("table") == 7  # shares, lengths, sources, findings, waterfall, examples, origins


def test_what_documents_say_stays_text(tmp_path: Path) -> None:
    shard = [{"id": text, "text": text * 3} for text in HOSTILE]
    run_filter(tmp_path, {"a.jsonl": shard}, rejects=True)
    write_run(
        tmp_path / "out2", {"<b>score": [1.0, 2.0]}, {"score": "<b>score", "at_least": 2, "reason": "<i>why"}, name="</title><p>"
    )
    page = Page(page_of(tmp_path / "out", tmp_path / "out2", title="<script>\x00</script>", examples=len(HOSTILE)))
    assert {"script", "img", "b>score", "i"}.isdisjoint(page.tags)
    assert page.handlers == []
    for text in HOSTILE:
        assert visible(text) in page.text


def test_what_no_page_can_hold_is_made_visible() -> None:
    assert visible("a\x00\x1b\n\t\x85\ud800\ufffe\r\n") == "a␀␛\n\t���\n"
    assert page_bytes(node("p", foreign("\ud800<"))) == b'<!DOCTYPE html>\n<p><bdi dir="auto">\xef\xbf\xbd&lt;</bdi></p>\n'
    assert page_bytes(node("p", "a", node("b"), "c", None, [node("i", "d"), "e"], class_='"x')).endswith(
        b'<p class="&quot;x">a<b></b>c<i>d</i>e</p>\n'
    )


def test_titles(whole: tuple[Path, Path], tmp_path: Path) -> None:
    assert b"<h1>small</h1>" in page_of(*whole)
    assert b"<h1>lengths</h1>" in page_of(whole[0])
    assert b"<h1>Mine</h1>" in page_of(*whole, title="Mine")


@pytest.mark.parametrize(
    ("scores", "keep"),
    [
        ([None, None], {"score": "x", "at_least": 1.0}),
        ([float("nan"), float("inf"), None], {"score": "x", "at_least": 1.0}),
        ([3.0] * 5, {"score": "x", "at_least": 3.0}),
        ([0.0] * 5, {"score": "x", "at_most": 0.0}),
        ([1e-300, 1e300], {"score": "x", "above": 5.0, "below": 1e200}),
        ([-5.0, 5.0], {"score": "x", "below": -1e18}),
    ],
    ids=["nulls", "not-finite", "constant", "zero", "extreme", "far-bound"],
)
def test_scores_of_every_kind_have_a_page(tmp_path: Path, scores: list[float | None], keep: dict[str, object]) -> None:
    page = Page(page_of(write_run(tmp_path / "run", {"x": scores}, keep)))
    assert "nan%" not in str(page.loading)
    assert ("No document has this score." in page.text) is all(score is None or not abs(score) < 1e308 for score in scores)


def test_runs_that_keep_nothing_or_read_nothing_have_a_page(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 1)})
    counts = {"in": 0, "kept": 0, "quarantined": 0, "dropped": {"short": 0}, "steps": []}
    write_summary(tmp_path / "none", name="none", stages=[], counts=counts)
    page = Page(page_of(tmp_path / "out", tmp_path / "none"))
    assert "2 documents in = 0 kept + 2 dropped + 0 quarantined" in page.text
    assert "0 documents in = 0 kept + 0 dropped + 0 quarantined" in page.text


def test_runs_of_one_recipe_are_told_apart(tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_run(tmp_path / place, {"x": [1.0]}, name="same")
    page = Page(page_of(tmp_path))
    assert "same: a" in page.text
    assert "same: b" in page.text


def test_what_a_generator_made_is_counted(tmp_path: Path) -> None:
    summary = {"dolmino_run": 1, "complete": True, "recipe": {"name": "generate"}, "counts": {"documents": 7}, "files": [{}, {}]}
    (tmp_path / "run.json").write_text(json.dumps(summary))
    assert "7 documents; nothing decided" in Page(page_of(tmp_path)).text


def test_a_join_counts_rows(tmp_path: Path) -> None:
    counts = {"in": 9, "kept": 4, "quarantined": 1, "dropped": {"answer_score": 4}, "documents": 2}
    summary = {
        "dolmino_run": 1,
        "complete": True,
        "recipe": {"name": "join stackexchange"},
        "sites": {"beer": {}},
        "counts": counts,
    }
    (tmp_path / "run.json").write_text(json.dumps(summary))
    page = Page(page_of(tmp_path))
    assert "9 rows in = 4 kept + 4 dropped + 1 quarantined" in page.text
    assert "rowstextretention" in page.text
