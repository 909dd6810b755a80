"""What is exported as a list of files: a mix's parts, an imported list, or whole files of sources until a share is reached."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dolmino_cli.kernels.keyed_hash import derive_key
from dolmino_cli.mix.exchange.file_list import FileList, Header, ListedFile, Share
from dolmino_cli.mix.exchange.published import key_of
from dolmino_cli.mix.exchange.what import SampledMix, SourceArraysOfMix, What
from dolmino_cli.mix.training import Training
from dolmino_cli.shards import storage
from dolmino_cli.tokens.arrays import ArrayFile


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Files to list, and what a person should know: tokens that whole files take above or below what was asked."""

    files: FileList
    notes: tuple[str, ...] = ()


def listing(what: What, *, prefix: str | None) -> Listing:
    """The files as they will be listed; `prefix` is where they lie for the one who reads the list.

    It stands for the folder of a mix, for the folder above the sources, and for scheme and host of an imported path.
    """
    if isinstance(what, FileList):
        return Listing(files=what if prefix is None else _moved(what, prefix))
    if isinstance(what, SampledMix):
        return Listing(files=_parts(what, prefix))
    return _picks(what, prefix)


def _moved(files: FileList, prefix: str) -> FileList:
    def move(path: str) -> str:
        return storage.join(prefix, key_of(path))

    return replace(
        files,
        files=tuple(replace(file, path=move(file.path)) for file in files.files),
        headers=tuple(replace(header, prefix=move(header.prefix)) for header in files.headers),
    )


def _parts(mix: SampledMix, prefix: str | None) -> FileList:
    lock, root = mix.lock, prefix if prefix is not None else storage.absolute(mix.arrays.root)
    name = lock.manifest.name
    files = tuple(ListedFile(path=storage.join(root, file.name), source=name, tokens=file.tokens) for file in mix.arrays.files)
    settings = _settings(name, lock.manifest.seed, lock.manifest.tokenizer, lock.manifest.training, lock.sequence_length)
    return FileList(
        name=name,
        tokenizer=lock.manifest.tokenizer,
        dtype=mix.arrays.dtype,
        files=files,
        headers=(Header(before=0, prefix=f"{root.rstrip('/')}/", tokens=mix.arrays.totals["tokens"], exact=True),),
        settings=settings | {"data.memmap_dtype": mix.arrays.dtype},
    )


def _picks(what: SourceArraysOfMix, prefix: str | None) -> Listing:
    """Every source's files as often as whole passes go into what is asked of it, then further files until it is reached.

    As Ai2 made its mixes (allenai/OLMo, scripts/microanneal_config_maker.py), but that the files are chosen by a hash of seed,
    source and name, so that anyone chooses the same, and a larger share holds a smaller one.
    """
    listed: list[ListedFile] = []
    headers: list[Header] = []
    notes = [*what.notes]
    for name, arrays in what.arrays.items():
        root = _root(what, name, prefix)
        passes, left = divmod(what.take[name], arrays.totals["tokens"])
        partial = _until(left, arrays.files, derive_key("dolmino whole files", what.manifest.seed, name))
        taken = 0
        for files in [*[arrays.files] * passes, *([partial] if partial else [])]:
            tokens = sum(file.tokens for file in files)
            headers.append(Header(before=len(listed), prefix=f"{root}/", tokens=tokens, exact=True))
            listed += [ListedFile(path=storage.join(root, file.name), source=name, tokens=file.tokens) for file in files]
            taken += tokens
        if taken != what.take[name]:
            notes.append(f"{name}: whole files hold {taken:,} tokens, {taken - what.take[name]:+,} of what is asked")
    return Listing(files=_of_sources(what, listed, headers, {}), notes=tuple(notes))


def shares_of_sources(what: SourceArraysOfMix, *, prefix: str | None) -> FileList:
    """All files of every source, once, with its share of the tokens to take: what a source mixture says."""
    total = sum(what.take.values())
    listed: list[ListedFile] = []
    shares = {}
    for name, arrays in what.arrays.items():
        root, held = _root(what, name, prefix), arrays.totals["tokens"]
        listed += [ListedFile(path=storage.join(root, file.name), source=name, tokens=file.tokens) for file in arrays.files]
        passes = float(-(-what.take[name] // held))
        shares[name] = Share(target_ratio=what.take[name] / total, max_repetition_ratio=max(passes, 1.0))
    return replace(_of_sources(what, listed, [], {"requested_tokens": str(total)}), shares=shares)


def _root(what: SourceArraysOfMix, name: str, prefix: str | None) -> str:
    return (storage.join(prefix, name) if prefix is not None else storage.absolute(what.arrays[name].root)).rstrip("/")


def _of_sources(
    what: SourceArraysOfMix, listed: Sequence[ListedFile], headers: Sequence[Header], more: Mapping[str, str]
) -> FileList:
    manifest, dtype = what.manifest, next(iter(what.arrays.values())).dtype
    settings = _settings(manifest.name, manifest.seed, manifest.tokenizer, manifest.training, None)
    return FileList(
        name=manifest.name,
        tokenizer=manifest.tokenizer,
        dtype=dtype,
        files=tuple(listed),
        headers=tuple(headers),
        settings=settings | {"data.memmap_dtype": dtype} | dict(more),
    )


def _until(tokens: int, files: Sequence[ArrayFile], key: bytes) -> list[ArrayFile]:
    """The files with the smallest hashes until they hold `tokens` or more, in the order of `files`."""

    def rank(file: ArrayFile) -> bytes:
        return hashlib.blake2b(file.name.encode(), key=key, digest_size=8).digest()

    chosen: set[str] = set()
    for file in sorted(files, key=rank):
        if tokens <= 0:
            break
        chosen.add(file.name)
        tokens -= file.tokens
    return [file for file in files if file.name in chosen]


def _settings(name: str, seed: int, tokenizer: str, training: Training | None, sequence_length: int | None) -> dict[str, str]:
    """OLMo's settings that say what we know of a run."""
    settings = {"run_name": name, "seed": str(seed)}
    length = sequence_length or (training.sequence_length if training else None)
    if length is not None:
        settings["model.max_sequence_length"] = str(length)
    if training is not None and training.learning_rate is not None:
        rate = training.learning_rate
        settings["optimizer.learning_rate"] = repr(rate.start)
        settings |= {"scheduler.units": "steps", "scheduler.name": "linear_with_warmup", "scheduler.t_warmup": "0"}
        settings["scheduler.alpha_f"] = repr(rate.end / rate.start)
    settings["tokenizer.identifier"] = tokenizer
    if training is not None:
        settings["max_duration"] = "1ep" if training.steps is None else str(training.steps)
        if training.steps is not None:
            settings["stop_at"] = str(training.steps)
        settings["global_train_batch_size"] = str(training.batch_sequences)
    return settings
