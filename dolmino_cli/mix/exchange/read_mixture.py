"""An OLMo-core source mixture (`SourceMixtureList` or `SourceMixtureDatasetConfig`) as a file list with shares."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dolmino_cli import strict_yaml
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import ListedFile, Share
from dolmino_cli.mix.exchange.published import as_name

# A SourceMixtureList says no size; dolmino writes the size it was made for as a comment.
_SIZE_COMMENT = re.compile(r"^# requested_tokens: ([0-9]+)$", re.MULTILINE)
_RATIO_TOLERANCE = 1e-5  # numpy.allclose's, which OLMo-core checks the sum with


@dataclass(frozen=True, kw_only=True)
class _Source:
    source_name: str
    target_ratio: float
    paths: tuple[str, ...]
    max_repetition_ratio: float = 1.0
    max_source_fraction: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.target_ratio <= 1:
            raise ConfigError(f"target_ratio is {self.target_ratio}; it must be more than 0 and at most 1")
        if not 0 < self.max_source_fraction <= 1:
            raise ConfigError(f"max_source_fraction is {self.max_source_fraction}; it must be more than 0 and at most 1")
        if self.max_repetition_ratio < 1:
            raise ConfigError(f"max_repetition_ratio is {self.max_repetition_ratio}; it must be at least 1")
        if not self.paths or any(not path or "\t" in path for path in self.paths):
            raise ConfigError(f"paths of {self.source_name!r} is empty or has an empty one; list its files")


@dataclass(frozen=True, kw_only=True)
class _Sources:
    sources: tuple[_Source, ...]


@dataclass(frozen=True, kw_only=True)
class _Dataset:
    """The keys of SourceMixtureDatasetConfig (olmo_core/data/source_mixture.py)."""

    source_list: _Sources
    requested_tokens: int
    global_batch_size: int
    processes: int = 1
    seed: int = 42
    render_tables: bool = True
    quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What a source mixture says; `settings` has `requested_tokens`, `global_batch_size` (tokens) and `seed` where given."""

    files: tuple[ListedFile, ...]
    shares: dict[str, Share]
    settings: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def is_mixture(root: Node) -> bool:
    """Whether a YAML document is a source mixture: it has a list of `sources`, or a `source_list`."""
    entries = root.value if isinstance(root, MappingNode) else []
    values = {key.value: value for key, value in entries if isinstance(key, ScalarNode)}
    return "source_list" in values or isinstance(values.get("sources"), SequenceNode)


def read_mixture(root: Node, text: str, path: str) -> Mixture:
    """The sources in order with their shares. Raises ConfigError with file:line and key."""
    top = strict_yaml.mapping(root, path, "")
    settings: dict[str, str] = {}
    lines: dict[str, int] = {}
    if "source_list" in top:
        dataset: _Dataset = strict_yaml.build(root, _Dataset, path)
        sources, sequence = dataset.source_list.sources, strict_yaml.mapping(top["source_list"], path, "source_list")["sources"]
        for key in ("requested_tokens", "global_batch_size", "seed"):
            if key in top:
                settings[key], lines[key] = str(getattr(dataset, key)), top[key].start_mark.line + 1
    else:
        listed: _Sources = strict_yaml.build(root, _Sources, path)
        sources, sequence = listed.sources, top["sources"]
        if size := _SIZE_COMMENT.search(text):
            settings["requested_tokens"], lines["requested_tokens"] = size[1], text.count("\n", 0, size.start()) + 1
    files: list[ListedFile] = []
    shares: dict[str, Share] = {}
    for source, node in zip(sources, sequence.value, strict=True):
        name, entries = as_name(source.source_name), strict_yaml.mapping(node, path, "sources")
        if name in shares:
            strict_yaml.fail(node, path, "sources", f"two sources are called {name!r}; give each a name of its own")
        shares[name] = Share(
            target_ratio=source.target_ratio,
            max_repetition_ratio=source.max_repetition_ratio,
            max_source_fraction=source.max_source_fraction,
        )
        lines[name] = entries["target_ratio"].start_mark.line + 1
        for listed_path, item in zip(source.paths, entries["paths"].value, strict=True):
            files.append(ListedFile(path=listed_path, source=name, line=item.start_mark.line + 1))
    total = sum(share.target_ratio for share in shares.values())
    if not shares or abs(total - 1) > _RATIO_TOLERANCE:
        raise ConfigError(
            f"{Path(path).name}: the target_ratio of its {len(shares)} sources sum to {total:.9g}; they must sum to 1"
        )
    return Mixture(files=tuple(files), shares=shares, settings=settings, lines=lines)
