"""A report of real documents, compared with what their texts say by themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import zstandard

from dolmino_cli.report.figures.gathered import gather
from dolmino_cli.report.page.document import html_page
from tests.report.make import run_filter
from tests.report.test_page import Page

RECIPE = """
name: wiki
stages:
  - length: {unit: characters, into: characters}
  - keep: {score: characters, at_least: 300, reason: short}
"""


def test_a_report_of_real_articles(tmp_path: Path, shared_data: Path) -> None:
    packed = (shared_data / "wiki" / "enwiki-2021-0000.jsonl.zst").read_bytes()
    lines = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read().splitlines()
    articles = [json.loads(line) for line in lines]
    run_filter(tmp_path, {"wiki.jsonl": [{"id": one["id"], "text": one["text"]} for one in articles]}, RECIPE, rejects=True)
    report = gather([str(tmp_path / "out")], examples=5)
    (run,) = report.runs
    (histogram,), (examples,) = run.histograms, run.examples
    lengths = np.array([len(one["text"]) for one in articles])
    edges = [*histogram.edges[:-1].astype(int), int(lengths.max()) + 1]
    assert (histogram.kept + histogram.dropped).tolist() == np.histogram(lengths[lengths > 0], edges)[0].tolist()
    assert int(histogram.kept.sum()) == run.figures.kept == int((lengths >= 300).sum())
    for found, side in ((examples.kept, lengths >= 300), (examples.dropped, lengths < 300)):
        order = np.argsort(np.abs(lengths - 300) + np.where(side, 0, 1 << 40), kind="stable")[:5]
        assert [(one.id, one.score, one.text) for one in found] == [
            (articles[place]["id"], lengths[place], articles[place]["text"][:300]) for place in order
        ]
    page = Page(html_page(report, title=None, open_examples=True))
    assert f"{len(articles):,} documents in = {run.figures.kept:,} kept + {run.figures.dropped:,} dropped" in page.text
