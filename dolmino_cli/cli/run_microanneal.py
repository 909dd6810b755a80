"""What `dolmino microanneal plan` does after parsing: make the manifest, print its plan, write it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dolmino_cli.bundled import find
from dolmino_cli.cli.console import show
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.estimate import Rates, cost_of, run_of
from dolmino_cli.mix.manifest import Manifest, load
from dolmino_cli.mix.microanneal import check_web, microanneal, start_of
from dolmino_cli.mix.plan import plan as plan_mix
from dolmino_cli.mix.populations import SourceArrays, open_arrays, populations, tokenizer_warning
from dolmino_cli.mix.training import LearningRate, Training
from dolmino_cli.mix.write_manifest import manifest_text
from dolmino_cli.report.mix_advice import advice
from dolmino_cli.report.mix_cost import cost_lines
from dolmino_cli.report.mix_table import plan_table
from dolmino_cli.shards import storage
from dolmino_cli.tokens.arrays import NAME


def parse_copies(sources: Sequence[str], copies: float) -> dict[str, float]:
    """`math` and `math/gsm8k=4` as copies by name. Raises ConfigError."""
    found: dict[str, float] = {}
    for text in sources:
        name, separator, number = text.partition("=")
        try:
            times = float(number) if separator else copies
        except ValueError:
            raise ConfigError(f"--source {text!r}: {number!r} is no number of copies; write NAME or NAME=2") from None
        if name in found:
            raise ConfigError(f"--source {name!r} is given twice; give it once, as {name}=COPIES")
        found[name] = times
    return found


def run_plan(
    copies: dict[str, float],
    *,
    web: str,
    ratio: float,
    output: str | None,
    name: str | None,
    base: str,
    arrays: str | None,
    batch_sequences: int,
    sequence_length: int,
    start_step: int,
    dry_run: bool,
) -> None:
    """Print the plan and write the manifest. Raises DolminoError."""
    folder, file = _place(output, dry_run=dry_run)
    training = Training(
        batch_sequences=batch_sequences,
        sequence_length=sequence_length,
        learning_rate=LearningRate(start=start_of(start_step), end=0.0),
    )
    origin = load(find("mixes", base))
    manifest = microanneal(
        origin,
        name=name or (file.rpartition(".")[0] if file else "microanneal"),
        copies=copies,
        web=web,
        web_percent=ratio,
        training=training,
        other_sources=_with_arrays(origin, [*copies, web], arrays),
    )
    opened = open_arrays(manifest, arrays_root=arrays)
    warnings = [unlike] if (unlike := tokenizer_warning(manifest, opened)) else []
    manifest = _with_paths(manifest, opened)
    sizes = populations(manifest, opened)
    check_web(manifest, sizes, web)
    planned = plan_mix(manifest, sizes)
    run = run_of(planned, training)
    itemsizes = {source.arrays.numpy_dtype.itemsize for source in opened.values()}
    cost = cost_of(planned, run, Rates(), token_bytes=max(itemsizes, default=4))
    text = _text(manifest, origin, copies, web, start_step)
    show(plan_table(planned))
    for line in cost_lines(planned, training, run, cost):
        show(line)
    for warning in [*warnings, *advice(manifest, planned, None)]:
        show(f"warning: {warning}")
    if run.steps == 0:
        show(f"warning: the mix is smaller than one step of {run.batch_tokens:,} tokens: nothing would be trained")
    if dry_run:
        show(f"\n{text}\nnothing was written")
        return
    assert folder is not None and file is not None
    _write(folder, file, text.encode())
    show(f"written to {output}; next: dolmino sample {output} --arrays {arrays or 'DIR_OR_S3'} -o DIR_OR_S3")


def _place(output: str | None, *, dry_run: bool) -> tuple[str | None, str | None]:
    """The folder and the name of the file to write."""
    if output is None:
        if not dry_run:
            raise ConfigError("no --output; give -o FILE.yaml, or --dry-run to see the manifest only")
        return None, None
    folder, _, file = output.rpartition("/")
    if not file.endswith((".yaml", ".yml")):
        raise ConfigError(f"--output {output!r} is no YAML file; a manifest's name ends so, such as ./{file or 'mine'}.yaml")
    if "://" in output and "://" not in folder:
        raise ConfigError(f"--output {output!r} has no bucket; write s3://bucket/{file}")
    return folder or ("/" if output.startswith("/") else "."), file


def _with_arrays(base: Manifest, names: Sequence[str], arrays: str | None) -> frozenset[str]:
    """Those names that the mix lacks and that have token arrays."""
    if arrays is None:
        return frozenset()
    lacking = [name for name in names if name not in base.sources]
    return frozenset(name for name in lacking if storage.exists(storage.join(arrays, name, NAME)))


def _with_paths(manifest: Manifest, opened: dict[str, SourceArrays]) -> Manifest:
    """The manifest with where its arrays are, which need no published size, and with their tokenizer."""
    sources = {
        name: dataclasses.replace(source, arrays=opened[name].arrays.root, published=None) if name in opened else source
        for name, source in manifest.sources.items()
    }
    tokenizers = [source.arrays.tokenizer.name for source in opened.values()]
    return dataclasses.replace(manifest, sources=sources, tokenizer=tokenizers[0] if tokenizers else manifest.tokenizer)


def _text(manifest: Manifest, base: Manifest, copies: dict[str, float], web: str, start_step: int) -> str:
    comments = {"seed": f"of {base.name}", "training": "one epoch, as the released configs of microanneals"}
    for label, times in copies.items():
        said = f"--source {label}, {times:g} {'copy' if times == 1 else 'copies'}"
        comments[f"groups.{label}" if label in manifest.groups else f"sources.{label}.share"] = said
    comments[f"sources.{web}.share"] = "--ratio"
    comments[f"sources.{web}.max_epochs"] = "the web fills up and is not repeated"
    comments |= {f"sources.{name}.published": f"of {base.name}" for name in manifest.sources}
    if start_step:
        comments["training.learning_rate"] = f"from step {start_step:,} of a 7B anneal: 6.1499e-5 x (1 - {start_step} / 11931)"
    return manifest_text(manifest, head="Made by `dolmino microanneal plan`.", comments=comments)


def _write(folder: str, file: str, data: bytes) -> None:
    """Write the file, unless another is there."""
    path = storage.join(folder, file)
    if storage.exists(path):
        if storage.read_bytes(path) == data:
            return
        raise ConfigError(f"{path} is there and is another manifest; remove it, or give another --output")
    storage.Output(folder).put(file, data)
