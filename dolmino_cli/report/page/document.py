"""The whole page: one file that asks for nothing else, without scripts, the same bytes for the same figures."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from xml.etree.ElementTree import Element

from dolmino_cli.report.amounts import big_bytes
from dolmino_cli.report.figures.gathered import Report
from dolmino_cli.report.page.findings import findings_section
from dolmino_cli.report.page.markup import Child, foreign, node, page_bytes
from dolmino_cli.report.page.mix_section import mix_section
from dolmino_cli.report.page.overview import runs_table, tiles
from dolmino_cli.report.page.run_section import run_section
from dolmino_cli.report.page.tables import Column, row, table

# Whatever a document holds, a browser loads nothing and runs nothing for it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_STYLE = "style.css"
_ORIGINS = (
    Column(heading="what"),
    Column(heading="from"),
    Column(heading="sha256"),
    Column(heading="input", kind="n"),
)


def html_page(report: Report, *, title: str | None, open_examples: bool) -> bytes:
    """The file's bytes."""
    name = title or default_title(report)
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="color-scheme", content="light dark"),
        node("meta", name="referrer", content="no-referrer"),
        node("title", name),
        node("link", rel="icon", href="data:,"),
        node("style", files(__package__).joinpath(_STYLE).read_text(encoding="utf-8")),
    )
    body = node("body", node("header", node("h1", name), tiles(report)), node("main", _sections(report, open_examples)))
    return page_bytes(node("html", head, body, lang="en"))


def default_title(report: Report) -> str:
    """The mixes' names; without a mix, what the runs are of."""
    if report.mixes:
        return ", ".join(dict.fromkeys(mix.name for mix in report.mixes))
    return report.runs[0].figures.name if len(report.runs) == 1 else f"{len(report.runs):,} runs"


def _sections(report: Report, open_examples: bool) -> Iterator[Element | None]:
    for number, mix in enumerate(report.mixes, 1):
        yield mix_section(mix, anchor=f"mix-{number}")
    anchors = [f"run-{number}" for number in range(1, len(report.runs) + 1)]
    if report.runs:
        yield node("section", node("h2", "Sources"), runs_table(report.runs, anchors), id="sources")
    yield findings_section(report)
    for run, anchor in zip(report.runs, anchors, strict=True):
        yield run_section(run, anchor=anchor, open_examples=open_examples)
    yield _origins(report)


def _origins(report: Report) -> Element:
    """What the report was made of, so that anyone can tell whether it is of the same."""
    rows = []
    for mix in report.mixes:
        where = node("span", "manifest ", node("code", mix.manifest_sha256), ", tokenizer ", foreign(mix.tokenizer), " ")
        where.append(node("code", mix.tokenizer_sha256))
        rows.append(row(_ORIGINS, [f"lock of {mix.name}", where, node("code", mix.lock_sha256), f"{len(mix.sources):,} sources"]))
    for run in (one.figures for one in report.runs):
        size = "" if run.input_bytes is None else f", {big_bytes(run.input_bytes)}"
        where = node("span", foreign(run.label, class_="path"), f" by dolmino {run.version}")
        cells: list[Child] = [f"recipe {run.name}", where, node("code", run.recipe_sha256), f"{run.shards:,} shards{size}"]
        rows.append(row(_ORIGINS, cells))
    made_of = table("What this report was made of", _ORIGINS, rows, kind="origins")
    return node("footer", node("h2", "Made of"), made_of, id="origins")
