"""The bundled manifests as files: each can be planned, says where its numbers come from, and is listed with what it takes.

What their numbers are is tested in test_tables.py, test_tried_mixes.py, test_as_run.py and test_published_sizes.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from yaml.nodes import MappingNode, Node, ScalarNode

from dolmino_cli.bundled import bundled_folder, bundled_names, find
from dolmino_cli.mix.manifest import load
from dolmino_cli.mix.plan import MixPlan, plan
from dolmino_cli.mix.populations import published_populations
from dolmino_cli.report.amounts import big_tokens
from dolmino_cli.strict_yaml import compose, mapping

NAMES = bundled_names("mixes")
SOURCES_PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()


def planned(name: str) -> MixPlan:
    manifest = load(find("mixes", name))
    return plan(manifest, published_populations(manifest))


def test_all_variants_are_there() -> None:
    dolmino = [f"dolmino-1124-{size}{variant}" for size in ("50b", "100b", "300b") for variant in ("", "-as-run", "-llm-jp")]
    assert {*dolmino, "dolmino-1124-100b-llm-jp-as-run"} == {name for name in NAMES if name.startswith("dolmino-")}
    assert len([name for name in NAMES if name.startswith("olmo2-")]) == 7
    assert len([name for name in NAMES if name.startswith("microanneal-")]) == 7
    assert len(NAMES) == 24


def test_every_mix_is_named_after_its_file_and_listed_in_the_readme_with_its_total() -> None:
    assert [load(find("mixes", name)).name for name in NAMES] == NAMES
    readme = (bundled_folder("mixes") / "README.md").read_text()
    listed = re.findall(r"^\| `([^`]+)` \| ([0-9.]+[MB]) \|", readme, re.MULTILINE)
    assert sorted(listed) == sorted((name, big_tokens(planned(name).tokens)) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_mix_has_what_a_person_needs_to_judge_and_train_it(name: str) -> None:
    manifest = load(find("mixes", name))
    assert manifest.reference
    assert manifest.training is not None
    assert manifest.training.learning_rate is not None
    if manifest.against is not None:
        assert manifest.against in NAMES


# Windows per step, tokens per window, steps, learning rate at both ends: OLMo's configs/official-1124 (7B, 13B) and
# configs/microannealing, LLM-jp's scripts.
SEVEN = (1024, 4096, 11_931, 6.1499e-5, 0)
TRAINING = {
    "dolmino-1124-50b": SEVEN,
    "dolmino-1124-50b-as-run": SEVEN,
    "dolmino-1124-100b": (2048, 4096, 11_931, 9e-5, 0),
    "dolmino-1124-100b-as-run": (2048, 4096, 11_931, 9e-5, 0),
    "dolmino-1124-300b": (2048, 4096, 35_773, 9e-5, 0),
    "dolmino-1124-300b-as-run": (2048, 4096, 35_773, 9e-5, 0),
    "dolmino-1124-50b-llm-jp": (1024, 8192, 6_652, 3e-5, 3e-5),
    "dolmino-1124-100b-llm-jp": (1024, 8192, None, 3e-5, 3e-5),
    "dolmino-1124-100b-llm-jp-as-run": (1024, 8192, 13_526, 3e-5, 3e-5),
    "dolmino-1124-300b-llm-jp": (1024, 8192, 40_255, 3e-5, 3e-5),
}
ONE_EPOCH = (1024, 4096, None, 6.1499e-5, 0)


@pytest.mark.parametrize("name", NAMES)
def test_training_is_as_the_published_runs(name: str) -> None:
    training = load(find("mixes", name)).training
    assert training is not None
    assert training.learning_rate is not None
    ends = (training.learning_rate.start, training.learning_rate.end)
    assert (training.batch_sequences, training.sequence_length, training.steps, *ends) == TRAINING.get(name, ONE_EPOCH)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_says_where_it_comes_from(name: str) -> None:
    assert list(unexplained(find("mixes", name))) == []


def test_a_number_without_a_reference_is_found(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("name: m1\nseed: 1  # ours\nsources:\n  a:\n    tokens: 5\n  b: {tokens: 6}  # Table 1\ntotal: 3\n")
    assert list(unexplained(path)) == ["sources.a.tokens", "total"]


def unexplained(path: Path) -> Iterator[str]:
    """Numbers with a comment neither on their line nor on that of a key they stand below, nor a `reference` beside them."""
    lines = path.read_text().splitlines()

    def walk(node: MappingNode, key: str, explained: bool) -> Iterator[str]:
        entries: dict[str, Node] = mapping(node, str(path), key)
        explained = explained or (key != "" and "reference" in entries)
        for name_node, value in node.value:
            dotted = f"{key}.{name_node.value}".lstrip(".")
            commented = explained or any("#" in lines[at.start_mark.line] for at in (name_node, value))
            if isinstance(value, MappingNode):
                yield from walk(value, dotted, commented)
            elif isinstance(value, ScalarNode) and re.match(r"[0-9]", value.value) and not commented:
                yield dotted

    root = compose(path)
    assert isinstance(root, MappingNode)
    yield from walk(root, "", explained=False)


def test_every_source_has_a_recipe_or_a_documented_way_to_be_made() -> None:
    """So that `filter`, `retokenize` and `sample` work with one name."""
    recipes = set(bundled_names("filters"))
    for name in NAMES:
        for source in load(find("mixes", name)).sources:
            assert source.rsplit("/", 1)[-1] in recipes or f"`{source}`" in SOURCES_PAGE, (name, source)


def test_variants_of_a_mix_agree_in_seed_and_names_so_that_a_smaller_one_is_part_of_a_larger_one() -> None:
    """Selection is by a hash of seed, source and document id: these must be the same for a 50B mix to nest in a 100B mix."""
    manifests = [load(find("mixes", name)) for name in NAMES]
    assert {manifest.seed for manifest in manifests} == {42}
    by_variant: dict[str, list[list[str]]] = {}
    for manifest in manifests:
        if manifest.name.startswith("dolmino-"):
            by_variant.setdefault(re.sub(r"-(50|100|300)b", "", manifest.name), []).append(sorted(manifest.sources))
    for names in by_variant.values():
        assert all(other == names[0] for other in names)
    paper, as_run = by_variant["dolmino-1124"][0], by_variant["dolmino-1124-as-run"][0]
    assert sorted({*paper} - {*as_run}) == ["math/codesearchnet-owm"]
    assert {*as_run} < {*paper}
