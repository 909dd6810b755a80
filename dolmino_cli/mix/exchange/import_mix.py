"""`dolmino mix import`: a published configuration to a manifest of ours and the list of its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from dolmino_cli import strict_yaml
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange import published
from dolmino_cli.mix.exchange.file_list import SUFFIX, Dtype, FileList, Header, ListedFile, Share
from dolmino_cli.mix.exchange.findings import findings
from dolmino_cli.mix.exchange.new_file import check_new, put_new
from dolmino_cli.mix.exchange.pools import Count, Pool, pools_of, total
from dolmino_cli.mix.exchange.read_lines import read_lines
from dolmino_cli.mix.exchange.read_mixture import is_mixture, read_mixture
from dolmino_cli.mix.exchange.read_olmo import is_olmo, read_paths, read_settings
from dolmino_cli.mix.exchange.run_settings import Run, run_of
from dolmino_cli.mix.exchange.sizes import with_sizes
from dolmino_cli.mix.exchange.to_manifest import to_manifest
from dolmino_cli.mix.manifest import Manifest
from dolmino_cli.mix.write_manifest import manifest_text
from dolmino_cli.shards import storage
from dolmino_cli.shards.storage import Output

_KINDS = {"olmo": "an OLMo configuration", "olmo-core": "an OLMo-core mix", "source-mixture": "an OLMo-core source mixture"}


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a person says that the file does not, or otherwise than it does. None: as the file says."""

    name: str | None = None
    sources: tuple[str, ...] = ()
    """PREFIX=NAME."""
    sizes: str | None = None
    tokens: int | None = None
    tokenizer: str | None = None
    dtype: Dtype | None = None
    seed: int | None = None
    against: Manifest | None = None


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A configuration read: the manifest's text, the list, and what there is to say about them."""

    kind: str
    files: FileList
    pools: tuple[Pool, ...]
    run: Run | None
    manifest: Manifest
    manifest_yaml: str
    findings: tuple[str, ...]

    @property
    def listed(self) -> Count | None:
        """Tokens of all lines."""
        return total(pool.listed for pool in self.pools)


@dataclass(frozen=True, kw_only=True)
class _Read:
    kind: str
    files: tuple[ListedFile, ...]
    headers: tuple[Header, ...] = ()
    settings: Mapping[str, str]
    shares: Mapping[str, Share]
    lines: Mapping[str, int]


def import_mix(given: str, wishes: Wishes) -> Imported:
    """Read a configuration of one of the three kinds, told apart by what it holds; a local file, or one on S3.

    Raises ConfigError with file:line.
    """
    path = PurePosixPath(given)
    read = _read(given, path, published.parse_names(wishes.sources))
    settings = dict(read.settings)
    if wishes.tokens is not None:
        if read.kind != "source-mixture":
            raise ConfigError(
                f"--tokens is the size of a source mixture; {path.name} is a list of files, which has one of its own"
            )
        settings["requested_tokens"] = str(wishes.tokens)
    wished = _wished_settings(read, wishes)
    settings |= wished
    files = FileList(
        name=published.as_name(wishes.name or settings.get("run_name") or path.stem).replace("/", "-"),
        tokenizer=wishes.tokenizer or _tokenizer(read, path),
        dtype=wishes.dtype or _dtype(read, path),
        files=read.files,
        headers=read.headers,
        settings=settings,
        shares=dict(read.shares),
    )
    if wishes.sizes is not None:
        files = with_sizes(files, wishes.sizes)
    pools, run = pools_of(files), run_of(files)
    manifest, comments = to_manifest(
        files,
        pools,
        run,
        origin=path.name,
        lines={key: line for key, line in read.lines.items() if key not in wished},
        seed=files.number("seed") if wishes.seed is None else wishes.seed,
        against=wishes.against.name if wishes.against else None,
    )
    head = (
        f"Made by `dolmino mix import` of {path.name}, {_KINDS[read.kind]}. Lines are its lines, percents are of the files it"
        " lists."
    )
    return Imported(
        kind=read.kind,
        files=files,
        pools=pools,
        run=run,
        manifest=manifest,
        manifest_yaml=manifest_text(manifest, head=head, comments=comments),
        findings=findings(files, pools, run=run, against=wishes.against),
    )


def write_import(imported: Imported, output: str) -> tuple[str, str]:
    """Write the manifest to `output` (a folder, or the manifest's own .yaml) and the list beside it; their paths.

    Raises ConfigError when one is there already and says something else: a manifest may have been edited since.
    """
    folder, slash, last = output.rstrip("/").rpartition("/")
    if last.endswith((".yaml", ".yml")):
        target, stem = Output(folder or ("/" if slash else ".")), last.rpartition(".")[0]
        manifest_name = last
    else:
        target, stem = Output(output), imported.files.name
        manifest_name = f"{stem}.yaml"
    manifest = imported.manifest_yaml.encode()
    check_new(target, manifest_name, manifest)
    # The list first: whoever finds the manifest finds its files.
    put_new(target, stem + SUFFIX, imported.files.to_text().encode())
    target.put(manifest_name, manifest)
    return target.path(manifest_name), target.path(stem + SUFFIX)


def _read(given: str, path: PurePosixPath, named: Mapping[str, str]) -> _Read:
    if not storage.exists(given):
        raise ConfigError(f"{given}: there is no such file; give an OLMo YAML, an OLMo-core mix .txt or a source mixture YAML")
    try:
        text = storage.read_bytes(given).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{given}: is no UTF-8 text: {error}") from None
    if path.suffix not in (".yaml", ".yml"):
        files, headers = read_lines(text, given, _labelled(named, given))
        return _Read(kind="olmo-core", files=files, headers=headers, settings={}, shares={}, lines={})
    root = strict_yaml.compose_text(text, given)
    if is_olmo(root, given):
        settings, lines = read_settings(root, given)
        files, headers = read_paths(root, text, given, lambda listed: published.source_of(listed, named=named))
        return _Read(kind="olmo", files=files, headers=headers, settings=settings, shares={}, lines=lines)
    if is_mixture(root):
        if named:
            raise ConfigError("--source names the sources of a list of paths; a source mixture names its own")
        mixture = read_mixture(root, text, given)
        return _Read(
            kind="source-mixture", files=mixture.files, settings=mixture.settings, shares=mixture.shares, lines=mixture.lines
        )
    raise ConfigError(
        f"{given}: no configuration that is known; expected an OLMo YAML with data.paths, an OLMo-core source mixture with"
        " sources or source_list, or an OLMo-core mix .txt with lines 'label,path'"
    )


def _labelled(named: Mapping[str, str], path: str) -> Callable[[str, str | None], str]:
    """Names sources by labels, and refuses two labels that only differ in what a name may not hold."""
    labels: dict[str, str] = {}

    def source_of(listed: str, label: str | None) -> str:
        name = published.source_of(listed, named=named, label=label)
        if label is not None and name == published.as_name(label) and labels.setdefault(name, label) != label:
            raise ConfigError(
                f"{path}: the labels {labels[name]!r} and {label!r} would both be source {name!r}; name one with --source"
            )
        return name

    return source_of


def _wished_settings(read: _Read, wishes: Wishes) -> dict[str, str]:
    """What a person says otherwise, as OLMo's settings: an export of the list must not say again what was wrong."""
    said = {
        "run_name": wishes.name,
        "tokenizer.identifier": wishes.tokenizer,
        "data.memmap_dtype": wishes.dtype,
        "seed": None if wishes.seed is None else str(wishes.seed),
    }
    return {key: value for key, value in said.items() if value is not None and (read.kind == "olmo" or key in read.settings)}


def _tokenizer(read: _Read, path: PurePosixPath) -> str:
    said = read.settings.get("tokenizer.identifier")
    if said is not None:
        return published.TOKENIZERS.get(said, said)
    found = dict.fromkeys(name for file in read.files if (name := published.tokenizer_of(file.path)) is not None)
    if len(found) != 1:
        raise ConfigError(f"{path.name} does not say its tokenizer; give --tokenizer, such as allenai/dolma2-tokenizer")
    return next(iter(found))


def _dtype(read: _Read, path: PurePosixPath) -> Dtype:
    # Unsaid, OLMo takes uint16 (olmo/config.py); OLMo-core goes by the vocabulary, which is above 65,536 ids in its mixes.
    said = read.settings.get("data.memmap_dtype", "uint16" if read.kind == "olmo" else "uint32")
    if said == "uint32":
        return "uint32"
    if said == "uint16":
        return "uint16"
    raise ConfigError(f"{path.name}: data.memmap_dtype is {said!r}; allowed: uint16, uint32")
