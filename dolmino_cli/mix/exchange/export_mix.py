"""`dolmino mix export`: a mix as a list of files for OLMo and OLMo-core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import FileList
from dolmino_cli.mix.exchange.listing import Listing, listing, shares_of_sources
from dolmino_cli.mix.exchange.new_file import put_new
from dolmino_cli.mix.exchange.read_lines import PLACEHOLDER
from dolmino_cli.mix.exchange.what import SourceArraysOfMix, What
from dolmino_cli.mix.exchange.write_lists import missing_placeholders, olmo_core_lines, olmo_yaml, source_mixture_yaml
from dolmino_cli.shards.storage import Output

ListFormat = Literal["olmo", "olmo-core", "source-mixture"]

_WRITERS = {"olmo": olmo_yaml, "olmo-core": olmo_core_lines, "source-mixture": source_mixture_yaml}
_SUFFIXES = {"olmo": (".yaml", ".yml"), "olmo-core": (".txt",), "source-mixture": (".yaml", ".yml")}


@dataclass(frozen=True, kw_only=True)
class ListExport:
    """A configuration to write at `path`, and what a person should know of it."""

    path: str
    text: str
    listing: Listing
    notes: tuple[str, ...]


def plan_list(what: What, to: ListFormat, *, output: str, prefix: str | None) -> ListExport:
    """The configuration, whole. `output` is a folder, or a file of the format's suffix. Raises ConfigError as the writers do."""
    if to == "source-mixture" and isinstance(what, SourceArraysOfMix):
        listed = Listing(files=shares_of_sources(what, prefix=prefix), notes=what.notes)
    else:
        listed = listing(what, prefix=prefix)
    files, notes = listed.files, list(listed.notes)
    if files.shares and to != "source-mixture":
        raise ConfigError(
            f"{files.name} takes its sources by target_ratio, which a list of files cannot say; export it --to source-mixture,"
            " or `dolmino sample` its manifest and export the mix"
        )
    if to == "olmo-core" and (missing := missing_placeholders(files)):
        if not isinstance(what, FileList):
            raise ConfigError(
                f"OLMo-core replaces {PLACEHOLDER} in every path of a mix and refuses one without; say where the files are below"
                f" its base_dir with --prefix, such as --prefix preprocessed/{files.name}/{PLACEHOLDER}"
            )
        notes.append(
            f"{missing:,} paths have no {PLACEHOLDER}: OLMo-core's DataMix refuses them, its NumpyDatasetConfig does not"
        )
    name = output.rstrip("/")
    path = name if name.endswith(_SUFFIXES[to]) else f"{name}/{files.name}{_SUFFIXES[to][0]}"
    return ListExport(path=path, text=_WRITERS[to](files), listing=listed, notes=tuple(notes))


def write_list(export: ListExport) -> None:
    """Write it. Raises ConfigError when it is there already and says something else, StorageError when it cannot be written."""
    folder, slash, name = export.path.rpartition("/")
    put_new(Output(folder or ("/" if slash else ".")), name, export.text.encode())
