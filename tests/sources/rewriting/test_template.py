"""Templates say what they mean, or are refused with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.bundled import bundled_names
from dolmino_cli.errors import ConfigError
from dolmino_cli.sources.rewriting.placeholders import parse
from dolmino_cli.sources.rewriting.template import load_template
from tests.sources.rewriting.make import write_template


def test_places_are_filled_and_all_other_braces_stay() -> None:
    pattern = parse("{id}: {text} in {metadata.set.name} is {{x}}, {{}}")
    assert pattern.fields == ("id", "text", "metadata.set.name")
    filled = pattern.fill({"id": "7", "text": "{text} {id} {{", "metadata.set.name": "S"})
    assert filled == "7: {text} {id} {{ in S is {x}, {}"


@pytest.mark.parametrize(
    ("replaced", "line", "problem"),
    [
        ({"prompt": "'Say {txt}'"}, 3, "prompt: unknown place '{txt}'; allowed: {text}, {id}, {metadata.NAME}"),
        ({"prompt": "'Say {answer}'"}, 3, "prompt: unknown place '{answer}'"),
        ({"document": "'{text} {answr}'"}, 5, "document: unknown place '{answr}'; .*{answer}"),
        ({"prompt": "'Say something'"}, 1, "prompt has no place"),
        ({"document": "'{text}'"}, 1, "document has no {answer}"),
        ({"into": "label"}, 1, "into 'label'; allowed: metadata.NAME"),
        ({"into": "metadata.rewrites"}, 1, "into 'metadata.rewrites'; that is where the documents' provenance stands"),
        ({"into": "metadata.label", "document": "'{text}: {answer}'"}, 1, "document and into exclude each other"),
        ({"sampling": "{max_tokens: 0, temperature: 1}"}, 4, "max_tokens 0"),
        ({"sampling": "{temperature: 1}"}, 4, "sampling.max_tokens: missing"),
        ({"sampling": "{max_tokens: 9, temperature: 3}"}, 4, "temperature 3.0; allowed: 0 to 2"),
        ({"sampling": "{max_tokens: 9, temperature: 1, top_p: 0}"}, 4, "top_p 0.0"),
        ({"promt": "x"}, 5, "promt: unknown key; did you mean 'prompt'"),
    ],
)
def test_what_a_template_may_not_say(tmp_path: Path, replaced: dict[str, str], line: int, problem: str) -> None:
    path = write_template(tmp_path / "say-again.yaml", **replaced)
    with pytest.raises(ConfigError, match=f"say-again.yaml:{line}: .*{problem.replace('{', '[{]')}"):
        load_template(str(path))


def test_unknown_name_lists_the_bundled_ones() -> None:
    with pytest.raises(ConfigError, match="no bundled template 'mind-two-student'; did you mean 'mind-two-students'"):
        load_template("mind-two-student")


@pytest.mark.parametrize("name", bundled_names("filters/rewrites"))
def test_bundled_templates_are_whole(name: str) -> None:
    template = load_template(name)
    assert template.name == name
    assert all((template.source, template.licence, template.reference, template.notes))
    assert template.sampling.seed is not None


def test_the_template_that_the_docs_show_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "rewriting.md").read_text()
    shown = page.partition("```yaml\n")[2].partition("```")[0]
    either = [line for line in shown.splitlines(keepends=True) if not line.startswith("into:")]
    (tmp_path / "in-short.yaml").write_text("".join(either))
    assert load_template(str(tmp_path / "in-short.yaml")).fields == ("metadata.reader", "text")


def test_seeds_depend_on_the_document_and_the_copy_only(tmp_path: Path) -> None:
    template = load_template(str(write_template(tmp_path / "say-again.yaml")))
    seeds = {template.seed_of(id, copy) for id in ("a", "b") for copy in range(3)}
    assert len(seeds) == 6 and all(seed is not None and 0 <= seed < 2**31 for seed in seeds)
    assert template.seed_of("a", 1) == 505119254  # pinned: changing it changes every corpus
    unseeded = load_template(str(write_template(tmp_path / "other.yaml", sampling="{max_tokens: 9, temperature: 1}")))
    assert unseeded.seed_of("a", 1) is None
