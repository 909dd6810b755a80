"""Every command, stage, recipe and mix has its place in the docs; every command that the README shows exists."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import pytest
import typer.main

from dolmino_cli.bundled import bundled_names, find
from dolmino_cli.cli.main import app
from dolmino_cli.stages import STAGES

ROOT = Path(__file__).resolve().parents[1]
DOCS = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}


def leaf_commands(group: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    found: dict[tuple[str, ...], object] = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found |= leaf_commands(command, (*path, name)) if hasattr(command, "commands") else {(*path, name): command}
    return found


COMMANDS = leaf_commands(typer.main.get_command(app))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_is_documented(path: tuple[str, ...]) -> None:
    assert f"\n## `dolmino {' '.join(path)}" in DOCS["commands.md"]


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_is_documented_with_its_parameters(name: str) -> None:
    section = DOCS["stages.md"].partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
    assert section, f"docs/stages.md has no section for {name}"
    names = [field.name for field in dataclasses.fields(STAGES[name]) if field.name != "into"]
    missing = [field for field in names if f"`{field}`" not in section and f"{field}:" not in section]
    assert missing == []


@pytest.mark.parametrize("kind", ["filters", "mixes"])
def test_every_bundled_file_is_documented(kind: str) -> None:
    table = (ROOT / kind / "README.md").read_text()
    for name in bundled_names(kind):  # type: ignore[arg-type]
        assert f"`{name}`" in table
        assert f"`{name}`" in DOCS["commands.md"]


def test_every_template_is_documented() -> None:
    for name in bundled_names("filters/rewrites"):
        assert f"| `{name}` |" in DOCS["rewriting.md"]
        assert f"`{name}`" in DOCS["commands.md"]


def shell_commands(text: str) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    lines = [line.strip().partition(" > ")[0] for line in "\n".join(blocks).replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("dolmino ")]


WITH_COMMANDS = [(ROOT / "README.md").read_text(), *(DOCS[page] for page in ("sources.md", "rewriting.md", "training.md"))]
PAGES = ("sources.md", "rewriting.md", "training.md")
SHOWN = shell_commands((ROOT / "README.md").read_text()) + [words for page in PAGES for words in shell_commands(DOCS[page])]


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_shown_commands_parse(words: list[str]) -> None:
    path = next(path for path in COMMANDS if tuple(words[1 : 1 + len(path)]) == path)
    command = COMMANDS[path]
    context = command.make_context(" ".join(path), list(words[1 + len(path) :]))  # type: ignore[attr-defined]
    if "recipe" in context.params:
        assert find("filters", context.params["recipe"])
    if "template" in context.params:
        assert find("filters/rewrites", context.params["template"])


def test_links_of_the_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/README.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
