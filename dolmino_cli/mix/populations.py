"""Where a mix's tokens are and how many: the token arrays of each source, or what was published about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from dolmino_cli import hub
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Manifest
from dolmino_cli.mix.plan import Population
from dolmino_cli.shards import storage
from dolmino_cli.tokens.arrays import NAME, TokenArrays, TokenizerRecord


@dataclass(frozen=True, kw_only=True)
class SourceArrays:
    """The token arrays of one source; `arrays_json_sha256` is that of their description."""

    arrays: TokenArrays
    arrays_json_sha256: str

    @property
    def population(self) -> Population:
        """What they hold."""
        totals = self.arrays.totals
        return Population(tokens=totals["tokens"], documents=totals["documents"], kind="arrays")


def published_populations(manifest: Manifest) -> dict[str, Population]:
    """The published size of every source that states one."""
    return {
        name: Population(
            tokens=source.published.tokens,
            documents=source.published.documents,
            kind="published",
            within=source.published.within,
            bytes=source.published.bytes,
        )
        for name, source in manifest.sources.items()
        if source.published is not None
    }


def open_arrays(
    manifest: Manifest, *, arrays_root: str | None = None, elsewhere: Mapping[str, str] | None = None
) -> dict[str, SourceArrays]:
    """The token arrays of the sources that have some; a source without any is left out.

    Looked for at `<arrays_root>/<source>`, then where the manifest says, then at `elsewhere[source]` (a lock's paths).
    Raises ConfigError when arrays that the manifest names are not there, or when arrays of two tokenizers would be mixed.
    """
    found: dict[str, SourceArrays] = {}
    for name, source in manifest.sources.items():
        beside = storage.join(arrays_root, name) if arrays_root is not None else None
        if beside is not None and storage.exists(storage.join(beside, NAME)):
            found[name] = _open(beside)
        elif named := source.arrays or (elsewhere or {}).get(name):
            found[name] = _open(named)
    check_one_tokenizer({name: source.arrays for name, source in found.items()})
    return found


def populations(manifest: Manifest, arrays: Mapping[str, SourceArrays]) -> dict[str, Population]:
    """The size of every source: of its arrays where there are some, else the published one."""
    return published_populations(manifest) | {name: source.population for name, source in arrays.items()}


def find_populations(manifest: Manifest, *, arrays_root: str | None = None) -> dict[str, Population]:
    """The size of every source, for a plan; raises as `open_arrays` does."""
    return populations(manifest, open_arrays(manifest, arrays_root=arrays_root))


def check_one_tokenizer(arrays: Mapping[str, TokenArrays]) -> None:
    """Raise ConfigError, naming sources and tokenizers, unless all arrays have the same ids and end of document."""
    groups: dict[tuple[str, int], list[str]] = {}
    for name, source in arrays.items():
        groups.setdefault((source.tokenizer.sha256, source.tokenizer.eos_id), []).append(name)
    if len(groups) > 1:
        described = "; ".join(f"{', '.join(names)}: {_describe(arrays[names[0]].tokenizer)}" for names in groups.values())
        raise ConfigError(f"arrays of different tokenizers cannot be mixed ({described}); retokenize the sources with one")


def tokenizer_warning(manifest: Manifest, arrays: Mapping[str, SourceArrays]) -> str | None:
    """A line for people when the arrays' tokenizer has another name than the manifest's; published counts are not theirs then.

    Only a name can be compared, without its revision: `allenai/dolma2-tokenizer` and the folder or file it was copied to may
    differ in nothing else.
    """
    for source in arrays.values():
        record = source.arrays.tokenizer
        if _last_part(record.name) != _last_part(hub.parted(manifest.tokenizer)[0]):
            return f"the arrays were made with tokenizer {record.name!r}; the manifest's numbers are of {manifest.tokenizer!r}"
    return None


def _last_part(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]


def copies_warning(arrays: Mapping[str, SourceArrays]) -> str | None:
    """A line for people when the same array stands in two sources, or twice in one: epochs do not count that."""
    places: dict[str, list[str]] = {}
    for name, source in arrays.items():
        for file in source.arrays.files:
            if file.tokens:
                places.setdefault(file.sha256, []).append(f"{file.name} of {name}")
    copies = [found for found in places.values() if len(found) > 1]
    if not copies:
        return None
    more = f", and {len(copies) - 1:,} more such arrays" if len(copies) > 1 else ""
    return f"the same tokens are counted {len(copies[0])} times: {', '.join(copies[0])}{more}"


def _open(root: str) -> SourceArrays:
    arrays = TokenArrays.open(root)
    return SourceArrays(
        arrays=arrays, arrays_json_sha256=hashlib.sha256(storage.read_bytes(storage.join(root, NAME))).hexdigest()
    )


def _describe(tokenizer: TokenizerRecord) -> str:
    return f"{tokenizer.name} (sha256 {tokenizer.sha256[:12]}, eos {tokenizer.eos_id})"
