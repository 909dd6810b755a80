"""An OLMo configuration (`configs/official-*/OLMo2-*-stage2-*.yaml`) as a file list: `data.paths`, and what trains on them."""

from __future__ import annotations

from collections.abc import Callable

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dolmino_cli import strict_yaml
from dolmino_cli.mix.exchange.file_list import Header, ListedFile
from dolmino_cli.mix.exchange.source_comments import read_source_comment

# What is kept of a configuration besides its paths (olmo/config.py); `training` of a manifest is made of these.
SETTINGS = (
    "run_name",
    "seed",
    "model.max_sequence_length",
    "optimizer.learning_rate",
    "scheduler.units",
    "scheduler.name",
    "scheduler.t_warmup",
    "scheduler.t_max",
    "scheduler.alpha_f",
    "tokenizer.identifier",
    "max_duration",
    "stop_at",
    "global_train_batch_size",
    "data.memmap_dtype",
)

_TEXT, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"


def is_olmo(root: Node, path: str) -> bool:
    """Whether a YAML document is an OLMo configuration: it has `data.paths`. Raises ConfigError for equal keys on the way."""
    return _find(root, "data.paths", path) is not None


def read_settings(root: Node, path: str) -> tuple[dict[str, str], dict[str, int]]:
    """The SETTINGS that a configuration says, as it writes them, and the line of each."""
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    for key in SETTINGS:
        node = _find(root, key, path)
        if node is None:
            continue
        if node.tag == _NULL:  # as if it were not there: OLMo's own defaults are written so
            continue
        if not isinstance(node, ScalarNode):
            strict_yaml.fail(node, path, key, "expected one value")
        if any(character in node.value for character in "\t\n\r") or not node.value:
            strict_yaml.fail(node, path, key, f"{node.value!r} is not allowed; expected one line of text")
        values[key], lines[key] = node.value, node.start_mark.line + 1
    return values, lines


def read_paths(
    root: Node, text: str, path: str, source_of: Callable[[str], str]
) -> tuple[tuple[ListedFile, ...], tuple[Header, ...]]:
    """The files of `data.paths` in order, and the source comments between them. Raises ConfigError with file:line."""
    node = _find(root, "data.paths", path)
    assert node is not None
    if not isinstance(node, SequenceNode) or not node.value:
        strict_yaml.fail(node, path, "data.paths", "expected a list of paths")
    files = []
    for item in node.value:
        if not isinstance(item, ScalarNode) or item.tag != _TEXT or not item.value.strip():
            strict_yaml.fail(item, path, "data.paths", "expected a path")
        if item.value.startswith("#") or any(character in item.value for character in "\t\n\r"):
            strict_yaml.fail(item, path, "data.paths", f"{item.value!r} is no path: it begins with '#', or has a tab or line end")
        files.append(ListedFile(path=item.value, source=source_of(item.value), line=item.start_mark.line + 1))
    return tuple(files), _headers(text, path, [file.line or 0 for file in files])


def _headers(text: str, path: str, lines_of_files: list[int]) -> tuple[Header, ...]:
    """Comments are no part of a YAML document, so they are looked for in its lines, from above the first file to the last."""
    lines = text.splitlines()
    # The comment of the first file stands between it and the key `paths`, the nearest line above that says anything else.
    first = lines_of_files[0]
    while first > 1 and lines[first - 2].strip()[:1] in ("", "#"):
        first -= 1
    headers, before = [], 0
    for number in range(first, lines_of_files[-1] + 1):
        while before < len(lines_of_files) and lines_of_files[before] < number:
            before += 1
        header = read_source_comment(lines[number - 1], path=path, line=number, before=before)
        if header is not None:
            headers.append(header)
    return tuple(headers)


def _find(root: Node, dotted: str, path: str) -> Node | None:
    """The node at `a.b`, or None. The first of equal keys would hide the others, so equal keys stop."""
    node = root
    for word in dotted.split("."):
        if not isinstance(node, MappingNode):
            return None
        found = [value for key, value in node.value if isinstance(key, ScalarNode) and key.value == word]
        if len(found) > 1:
            key = dotted[: dotted.index(word) + len(word)]
            strict_yaml.fail(found[1], path, key, f"given twice (first on line {found[0].start_mark.line + 1}); keep one")
        if not found:
            return None
        node = found[0]
    return node
