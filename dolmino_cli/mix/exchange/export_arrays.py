"""A mix, or the sources of one, in Megatron-LM's and datatrove's formats, with the weights to blend sources by.

The weight of a source is the tokens to take of it, as LLM-jp trained on Dolmino (llm-jp/scripts, pretrain/scripts/
v4-midtraining): Megatron draws from every source in proportion, in newly shuffled passes where the weight is more than it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.documents import chunks_of, ends_of
from dolmino_cli.mix.exchange.what import SampledMix, SourceArraysOfMix
from dolmino_cli.shards import storage
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.arrays import ArrayFile, TokenArrays
from dolmino_cli.tokens.datatrove import metadata, write_datatrove
from dolmino_cli.tokens.megatron import Chunk, megatron_bytes, megatron_dtype, train_iterations, write_megatron

WEIGHTS = "data-path.txt"
ARGUMENTS = "megatron.args"

ArrayFormat = Literal["megatron", "datatrove"]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What is blended with one weight: a whole mix, or one source. `take` is the tokens to take of it."""

    name: str
    folder: str
    """Where datatrove's files of it go: a folder of its own for each source."""
    arrays: TokenArrays
    files: tuple[ArrayFile, ...]
    take: int

    @property
    def tokens(self) -> int:
        """Tokens that it holds."""
        return sum(file.tokens for file in self.files)

    @property
    def documents(self) -> int:
        """Documents that it holds."""
        return sum(file.documents for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The arithmetic of a run over all weights: ceil(tokens / sequence_length / batch_sequences)."""

    tokens: int
    sequence_length: int
    batch_sequences: int

    @property
    def iterations(self) -> int:
        """Megatron's --train-iters."""
        return train_iterations(self.tokens, sequence_length=self.sequence_length, batch_sequences=self.batch_sequences)


@dataclass(frozen=True, kw_only=True)
class ArrayExport:
    """What will be written, to the byte: `files` are names and sizes. `steps` is None where no batch is known."""

    to: ArrayFormat
    datasets: tuple[Dataset, ...]
    files: tuple[tuple[str, int], ...]
    weights: str
    steps: Steps | None
    notes: tuple[str, ...]

    def files_of(self, dataset: Dataset) -> tuple[tuple[str, int], ...]:
        """Names and sizes of what is written for one dataset."""
        return tuple(_files(dataset, self.to))


def datasets_of(what: SampledMix | SourceArraysOfMix) -> tuple[Dataset, ...]:
    """A sampled mix is one dataset, of its locked parts; otherwise every source is one."""
    if isinstance(what, SampledMix):
        lock, arrays = what.lock, what.arrays
        assert lock.outputs is not None
        parts, take = tuple(lock.outputs), arrays.totals["tokens"]
        return (Dataset(name=lock.manifest.name, folder="", arrays=arrays, files=parts, take=take),)
    return tuple(
        Dataset(name=name, folder=name, arrays=arrays, files=tuple(arrays.files), take=what.take[name])
        for name, arrays in what.arrays.items()
    )


def plan_export(
    what: SampledMix | SourceArraysOfMix,
    to: ArrayFormat,
    *,
    root: str,
    prefix: str | None,
    sequence_length: int | None,
    batch_sequences: int | None,
) -> ArrayExport:
    """Everything that `write_export` will write below `root`; `prefix` is where the reader will have it, `root` unless given.

    `sequence_length` is the lock's and `batch_sequences` the manifest's unless given. Raises ConfigError for ones below 1, and
    for a place with a space in it.
    """
    datasets = datasets_of(what)
    manifest = what.lock.manifest if isinstance(what, SampledMix) else what.manifest
    training = manifest.training
    locked = what.lock.sequence_length if isinstance(what, SampledMix) else None
    length = sequence_length or locked or (training.sequence_length if training else None)
    batch = batch_sequences or (training.batch_sequences if training else None)
    steps = None
    if length is not None and batch is not None:
        steps = Steps(tokens=sum(one.take for one in datasets), sequence_length=length, batch_sequences=batch)
    places = [storage.join(prefix or storage.absolute(root), _place(one, to)) for one in datasets]
    if spaced := [place for place in places if len(place.split()) != 1]:
        raise ConfigError(
            f"{spaced[0]!r} has a space, and a line of {WEIGHTS} is parted at one; give an output without, or --prefix for where"
            " the reader has it"
        )
    weights = "".join(f"{one.take} {place}\n" for one, place in zip(datasets, places, strict=True))
    files = [file for one in datasets for file in _files(one, to)]
    files.append((WEIGHTS, len(weights.encode())))
    if to == "megatron" and steps is not None:
        files.append((ARGUMENTS, len(_arguments(steps).encode())))
    notes = what.notes if isinstance(what, SourceArraysOfMix) else ()
    return ArrayExport(to=to, datasets=datasets, files=tuple(files), weights=weights, steps=steps, notes=notes)


def check_output(export: ArrayExport, output: Output) -> None:
    """Raise ConfigError when there are other files, which would be taken for parts of it."""
    there = set(storage.list_names(output.root, ""))
    if foreign := sorted(there - {name for name, _ in export.files}):
        raise ConfigError(f"{output.root} holds files of something else ({foreign[0]}); give an empty or a new output")


def write_export(export: ArrayExport, output: Output) -> int:
    """Write it, and the weights last; how many files of tokens are hard links.

    Raises ConfigError as `check_output` does; DataError for arrays that are damaged.
    """
    check_output(export, output)
    output.delete(WEIGHTS)  # whoever finds them finds a finished export
    linked = 0
    for one in export.datasets:
        if export.to == "megatron":
            write_megatron(
                output,
                one.name,
                _all_chunks(one),
                documents=one.documents,
                tokens=one.tokens,
                vocabulary_size=one.arrays.tokenizer.vocabulary_size,
                path=one.arrays.root,
            )
        else:
            linked += sum(
                write_datatrove(output, _stem(one, file), one.arrays, file, ends_of(one.arrays, file)) for file in one.files
            )
    if export.to == "megatron" and export.steps is not None:
        output.put(ARGUMENTS, _arguments(export.steps).encode())
    output.put(WEIGHTS, export.weights.encode())
    return linked


def _place(one: Dataset, to: ArrayFormat) -> str:
    """What stands in the weights' file: the name without .bin, or the folder."""
    return one.name if to == "megatron" else one.folder


def _stem(one: Dataset, file: ArrayFile) -> str:
    return "/".join(filter(None, (one.folder, file.name.removesuffix(".npy"))))


def _files(one: Dataset, to: ArrayFormat) -> Iterator[tuple[str, int]]:
    record = one.arrays.tokenizer
    if to == "megatron":
        data = one.tokens * np.dtype(megatron_dtype(record.vocabulary_size)).itemsize
        yield f"{one.name}.bin", data
        yield f"{one.name}.idx", megatron_bytes(one.documents, one.tokens, record.vocabulary_size) - data
        return
    for file in one.files:
        stem, note = _stem(one, file), metadata(record.name, one.arrays.numpy_dtype.itemsize, file.tokens)
        yield f"{stem}.ds", file.bytes
        yield f"{stem}.ds.index", 8 * file.documents
        yield f"{stem}.ds.metadata", len(note.encode())


def _all_chunks(one: Dataset) -> Iterator[Chunk]:
    for file in one.files:
        yield from chunks_of(one.arrays, file)


def _arguments(steps: Steps) -> str:
    return (
        f"--train-iters {steps.iterations}\n--seq-length {steps.sequence_length}\n--global-batch-size {steps.batch_sequences}\n"
    )
