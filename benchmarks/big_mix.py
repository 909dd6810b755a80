"""A mix of billions of tokens for `dolmino trace` to look up in: real ids, keys and places; tokens only for what reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.kernels.keyed_hash import hash_strings
from dolmino_cli.mix.keys import order_key
from dolmino_cli.mix.lock import Lock, LockedSource, MixPart
from dolmino_cli.mix.manifest import Manifest, Source
from dolmino_cli.mix.provenance import SCHEMA, provenance_name, write_provenance
from dolmino_cli.mix.windows import SEQUENCE_LENGTH, repeated_name
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokenizer.identity import resolve
from dolmino_cli.tokens.arrays import TokenizerRecord

PASSES = {"web": 1, "math": 2}
DOCUMENT_TOKENS = 512
TOKENS_PER_PART = 64_000_000
SEED = 42
SHARDS = 100


def make_mix(folder: Path, *, parts: int, tokenizer: Path, holes: bool) -> Path:
    """A finished mix's folder of `parts` x 64M tokens. With `holes` the arrays have no bytes on the disk: all ids are 0."""
    documents = parts * TOKENS_PER_PART // DOCUMENT_TOKENS
    identity = resolve(str(tokenizer), eos_required=False)
    record = TokenizerRecord(**{**identity.as_record(), "eos_id": identity.eos_id or 0})  # type: ignore[arg-type]
    rows = _rows({"web": documents * 3 // 4, "math": documents // 8})
    output = Output(str(folder))
    bounds = np.searchsorted(rows["key"], np.array([-(-(i << 32) // parts) << 32 for i in range(1, parts)], np.uint64))
    body = np.random.default_rng(0).integers(0, record.vocabulary_size, 1 << 20).astype(np.uint32)
    made = []
    for number, (start, stop) in enumerate(zip([0, *bounds], [*bounds, len(rows["key"])], strict=True)):
        made.append(_part(output, f"part-{number:05d}.npy", {name: column[start:stop] for name, column in rows.items()}))
        with (folder / made[-1].name).open("wb") as file:
            if holes:
                file.truncate(made[-1].bytes)
            else:
                np.resize(body, made[-1].tokens).tofile(file)
    lock = Lock(
        manifest_sha256="",
        manifest=Manifest(
            name="big",
            tokenizer=record.name,
            seed=SEED,
            sources={name: Source(source_percent=100 * n) for name, n in PASSES.items()},
        ),
        scale=1.0,
        tokens_per_file=TOKENS_PER_PART,
        tokenizer=record,
        dtype="uint32",
        sources={
            name: _source(int((rows["source"] == place).sum()), passes) for place, (name, passes) in enumerate(PASSES.items())
        },
        outputs=made,
        arrays_json_sha256=None,
    )
    output.put("big.lock.json", lock.to_json())
    return folder


def _rows(documents: dict[str, int]) -> dict[str, np.ndarray]:
    """Columns of all documents of the mix in its order; `number` and `source` make the id."""
    columns: list[dict[str, np.ndarray]] = []
    for place, (source, passes) in enumerate(PASSES.items()):
        ids = _ids(source, np.arange(documents[source]))
        for copy in range(passes):
            keys = hash_strings(ids, order_key(SEED, source, copy))
            same = np.ones(len(keys), np.uint16)
            columns.append({"key": keys, "source": place * same, "copy": copy * same, "number": np.arange(len(keys))})
    joined = {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}
    order = np.argsort(joined["key"], kind="stable")
    return {name: column[order] for name, column in joined.items()}


def _ids(source: str, numbers: np.ndarray) -> pa.LargeStringArray:
    prefix, nothing = (pa.scalar(text, pa.large_string()) for text in (f"{source}-", ""))
    return pc.binary_join_element_wise(prefix, pc.cast(pa.array(numbers), pa.large_string()), nothing)


def _part(output: Output, name: str, rows: dict[str, np.ndarray]) -> MixPart:
    """Write a part's documents and bits; its array is the caller's."""
    count = len(rows["key"])
    web, math = _ids("web", rows["number"]), _ids("math", rows["number"])
    shards = pa.array([f"shard-{i:04d}.jsonl.zst" for i in range(SHARDS)], pa.large_string())
    columns = {
        "key": rows["key"],
        "end": np.arange(1, count + 1) * DOCUMENT_TOKENS,
        "source": rows["source"].astype(np.uint16),
        "copy": rows["copy"].astype(np.uint16),
        "id": pc.if_else(pa.array(rows["source"] == 0), web, math),
        "src": pa.DictionaryArray.from_arrays(pa.array((rows["number"] % SHARDS).astype(np.int32)), shards),
        "loc": rows["number"] // SHARDS + 1,
    }
    with output.create(provenance_name(name)) as pending:
        write_provenance(pending, pa.RecordBatch.from_arrays([pa.array(columns[field.name]) for field in SCHEMA], schema=SCHEMA))
        pending.publish()
    tokens = count * DOCUMENT_TOKENS
    windows = tokens // SEQUENCE_LENGTH
    output.put(repeated_name(name), bytes(-(-windows // 8)))
    return MixPart(
        name=name,
        tokens=tokens,
        documents=count,
        bytes=4 * tokens,
        sha256="",
        index_sha256="",
        documents_sha256="",
        repeated_sha256="",
        windows=windows,
        repeated_windows=0,
    )


def _source(taken: int, passes: int) -> LockedSource:
    return LockedSource(
        arrays="",
        arrays_json_sha256="",
        tokens=taken * DOCUMENT_TOKENS // passes,
        documents=taken // passes,
        target_tokens=taken * DOCUMENT_TOKENS,
        taken_tokens=taken * DOCUMENT_TOKENS,
        taken_documents=taken,
        repeated_ids=0,
        whole_passes=passes,
        last_key=None,
        source_percent=100.0 * passes,
        mix_percent=50.0,
        files=[],
    )
