"""A mix as its lock says it is: per source and group what was planned, what was taken, what was published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dolmino_cli.mix.lock import Lock
from dolmino_cli.report.figures.found import FoundMix
from dolmino_cli.report.figures.token_lengths import TokenLengths, token_lengths


@dataclass(frozen=True, kw_only=True)
class Share:
    """One source, or one group of them (`math` of `math/gsm8k`, `math/metamath`): tokens, and percents of 100."""

    name: str
    group: str
    """The part of the name before its first `/`; the name itself where there is none."""
    is_group: bool
    available: int
    planned: int
    taken: int
    documents: int
    mix_planned: int
    """Tokens planned of all sources."""
    mix_taken: int
    published_mix_percent: float | None

    @property
    def source_percent(self) -> float:
        """Tokens taken / tokens of the source x 100; 400 is four passes."""
        return 100 * self.taken / self.available if self.available else 0.0

    @property
    def planned_source_percent(self) -> float:
        """What the plan asked for."""
        return 100 * self.planned / self.available if self.available else 0.0

    @property
    def mix_percent(self) -> float:
        """Tokens taken / tokens of the mix x 100."""
        return 100 * self.taken / self.mix_taken if self.mix_taken else 0.0

    @property
    def planned_mix_percent(self) -> float:
        """What the plan asked for."""
        return 100 * self.planned / self.mix_planned if self.mix_planned else 0.0


@dataclass(frozen=True, kw_only=True)
class MixFigures:
    """One mix. `taken` is sampled where `is_sampled`, else what a lock without arrays foresees."""

    name: str
    labels: tuple[str, ...]
    description: str
    sources: tuple[Share, ...]
    """In the manifest's order, those of one group together."""
    groups: tuple[Share, ...]
    """Of the groups that have several sources."""
    is_sampled: bool
    scale: float
    seed: int
    tokens: int
    planned: int
    published_tokens: int | None
    """The mix's total as it was published; None also at another scale."""
    documents: int
    parts: int
    sequence_length: int
    windows: int
    repeated_windows: int
    tail_tokens: int
    """In parts' last windows, which are not full: never trained on."""
    tokenizer: str
    tokenizer_sha256: str
    lock_sha256: str
    manifest_sha256: str
    lengths: tuple[TokenLengths, ...]
    """Per source, in the manifest's order; empty where the arrays' provenance is not beside the lock."""


def mix_figures(found: FoundMix) -> MixFigures:
    """The figures of one mix. Raises DataError where a part's provenance is damaged or not what the lock says."""
    lock = found.lock
    outputs = lock.outputs or []
    sources = _sources(lock)
    return MixFigures(
        name=lock.manifest.name,
        labels=found.labels,
        description=lock.manifest.description or "",
        sources=sources,
        groups=_groups(sources, lock),
        is_sampled=lock.outputs is not None,
        scale=lock.scale,
        seed=lock.manifest.seed,
        tokens=sum(source.taken for source in sources),
        planned=sum(source.planned for source in sources),
        published_tokens=lock.manifest.expect.tokens if lock.manifest.expect and lock.scale == 1 else None,
        documents=sum(source.documents for source in sources),
        parts=len(outputs),
        sequence_length=lock.sequence_length,
        windows=sum(part.windows for part in outputs),
        repeated_windows=sum(part.repeated_windows for part in outputs),
        tail_tokens=sum(part.tokens - part.windows * lock.sequence_length for part in outputs),
        tokenizer=lock.tokenizer.name,
        tokenizer_sha256=lock.tokenizer.sha256,
        lock_sha256=found.lock_sha256,
        manifest_sha256=lock.manifest_sha256,
        lengths=token_lengths(found.roots, lock) if outputs else (),
    )


def _sources(lock: Lock) -> tuple[Share, ...]:
    names = list(lock.manifest.sources)
    groups = list(dict.fromkeys(_group(name) for name in names))
    published = lock.manifest.expect.mix_percent if lock.manifest.expect else {}
    planned = sum(source.target_tokens for source in lock.sources.values())
    taken = sum(source.taken_tokens for source in lock.sources.values())
    shares = []
    for name in sorted(names, key=lambda name: groups.index(_group(name))):  # stable: a group's sources keep their order
        source = lock.sources[name]
        is_alone = sum(_group(other) == _group(name) for other in names) == 1
        shares.append(
            Share(
                name=name,
                group=_group(name),
                is_group=False,
                available=source.tokens,
                planned=source.target_tokens,
                taken=source.taken_tokens,
                documents=source.taken_documents,
                mix_planned=planned,
                mix_taken=taken,
                # A group of one source is that source: what was published of either is of it.
                published_mix_percent=published.get(name, published.get(_group(name)) if is_alone else None),
            )
        )
    return tuple(shares)


def _groups(sources: Sequence[Share], lock: Lock) -> tuple[Share, ...]:
    published = lock.manifest.expect.mix_percent if lock.manifest.expect else {}
    summed = []
    for group in dict.fromkeys(source.group for source in sources):
        mine = [source for source in sources if source.group == group]
        if len(mine) == 1:
            continue
        stated = [source.published_mix_percent for source in mine]
        all_stated = sum(percent for percent in stated if percent is not None) if None not in stated else None
        summed.append(
            Share(
                name=group,
                group=group,
                is_group=True,
                available=sum(source.available for source in mine),
                planned=sum(source.planned for source in mine),
                taken=sum(source.taken for source in mine),
                documents=sum(source.documents for source in mine),
                mix_planned=mine[0].mix_planned,
                mix_taken=mine[0].mix_taken,
                published_mix_percent=published.get(group, all_stated),
            )
        )
    return tuple(summed)


def _group(name: str) -> str:
    return name.partition("/")[0]
