"""A real browser opens the report, makes of it what it says and complains about nothing."""

from __future__ import annotations

from pathlib import Path

from tests.report.browser import open_page
from tests.report.make import documents, make_mix, run_filter, write_run
from tests.report.test_page import HOSTILE, Page, page_of


def test_a_browser_opens_the_report_without_complaint(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": [*documents(1, 9, 2), *({"id": text, "text": text} for text in HOSTILE)]}, rejects=True)
    runs = [
        write_run(tmp_path / f"run{number}", {"x": [0.1, 0.5, 20.0]}, {"score": "x", "at_least": 0.5}) for number in range(12)
    ]
    data = page_of(tmp_path / "out", *runs, make_mix(tmp_path), examples=len(HOSTILE))
    (tmp_path / "report.html").write_bytes(data)
    opened = open_page(tmp_path / "report.html", tmp_path / "profile")
    assert opened.console == []
    ours, theirs = Page(data), Page(opened.dom.encode())
    # The tree that the browser built is the one that was written: nothing in it was mended, moved or dropped.
    assert theirs.tags == ours.tags
    assert theirs.text.split() == ours.text.split()
    assert theirs.tags.count("figure") == 13
    assert theirs.tags.count("details") == 13


def test_a_complaint_would_be_seen(tmp_path: Path) -> None:
    """The guard itself: a script that fails and an image from elsewhere are both in the console."""
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; script-src 'unsafe-inline'\">"
    page = f"<!DOCTYPE html><title>x</title>{policy}<img src=https://example.org/x.png><script>nothing.there()</script>"
    (tmp_path / "bad.html").write_text(page)
    console = "\n".join(open_page(tmp_path / "bad.html", tmp_path / "profile").console)
    assert "nothing is not defined" in console
    assert "example.org" in console
