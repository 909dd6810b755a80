"""The lock of a mix that is selected and not yet written: inputs and what is taken of them, no outputs."""

from __future__ import annotations

from collections.abc import Mapping

from dolmino_cli.executors.local import Local
from dolmino_cli.mix.lock import Lock, LockedSource
from dolmino_cli.mix.prepare import Prepared
from dolmino_cli.mix.sampling.choose import Watch, choose, unwatched
from dolmino_cli.mix.sampling.select import Selection


def lock_selection(prepared: Prepared, *, workers: int = 1, watch: Watch = unwatched) -> Lock:
    """Run the selection over the index files of the inputs and lock what it takes; writes nothing.

    What `sample` writes later is this lock with its outputs and the ids that came out twice. Raises DataError for an index
    that does not fit its array.
    """
    chosen = choose(prepared.plan, prepared.files(), Local(workers=workers), seed=prepared.manifest.seed, watch=watch)
    return locked(prepared, chosen)


def locked(prepared: Prepared, chosen: Mapping[str, Selection]) -> Lock:
    """The lock of a selection that was run."""
    mix_tokens = sum(selection.tokens for selection in chosen.values())
    sources = {}
    for row in prepared.plan.sources:
        arrays, selection = prepared.arrays[row.name], chosen[row.name]
        sources[row.name] = LockedSource(
            arrays=arrays.arrays.root,
            arrays_json_sha256=arrays.arrays_json_sha256,
            tokens=arrays.arrays.totals["tokens"],
            documents=arrays.arrays.totals["documents"],
            target_tokens=row.tokens,
            taken_tokens=selection.tokens,
            taken_documents=selection.documents,
            repeated_ids=None,
            whole_passes=selection.passes,
            last_key=f"{selection.last.key:016x}" if selection.last else None,
            source_percent=round(100 * selection.tokens / arrays.arrays.totals["tokens"], 9),
            mix_percent=round(100 * selection.tokens / mix_tokens, 9),
            files=arrays.arrays.files,
        )
    return Lock(
        manifest_sha256=prepared.manifest_sha256,
        manifest=prepared.manifest,
        scale=prepared.request.scale,
        tokens_per_file=prepared.request.tokens_per_file,
        sequence_length=prepared.request.sequence_length,
        tokenizer=prepared.request.tokenizer,
        dtype=prepared.request.dtype,
        sources=sources,
        outputs=None,
        arrays_json_sha256=None,
    )
