"""What a person should know about a file list before trusting it: copies, odd ones above all, and tokens that are not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from dolmino_cli.mix.exchange.file_list import FileList
from dolmino_cli.mix.exchange.pools import Pool
from dolmino_cli.mix.exchange.run_settings import Run
from dolmino_cli.mix.manifest import Manifest

_NAMED = 3


def findings(
    files: FileList, pools: Sequence[Pool], *, run: Run | None = None, against: Manifest | None = None
) -> tuple[str, ...]:
    """One line each, naming the source. `against` is a mix whose Source % the copies are compared with."""
    found = [*_odd_in_groups(pools), *_uneven(files, pools)]
    if against is not None:
        found += _differences(pools, against)
    found += _copies(pools)
    found += [
        f"the comment on line {header.line or '?'} ({header.prefix}) has no files below it"
        for header, block in files.blocks()
        if header is not None and not block
    ]
    if run is not None and run.epochs not in (None, 1):
        found.append(
            f"max_duration asks for {run.epochs} epochs of the list; the manifest's shares are of one, so multiply them to sample"
            " what the run sees"
        )
    if several := _of_several_sources(files):
        found.append(
            f"{several[0]} and {len(several) - 1} more files are listed under two sources; their copies are counted apart"
        )
    if globs := [file.path for file in files.files if "*" in file.path]:
        found.append(f"{len(globs)} paths are patterns ({globs[0]}); the files they mean are not counted")
    if unknown := [pool.source for pool in pools if pool.listed is None]:
        found.append(f"tokens are not known of {named(unknown)}; --sizes ROOT counts them by the sizes of the files below ROOT")
    return tuple(found)


def _odd_in_groups(pools: Sequence[Pool]) -> list[str]:
    """Sources listed more or less often than most files of the others in their group (`math` of `math/metamath`)."""
    groups: dict[str, list[Pool]] = {}
    for pool in pools:
        if "/" in pool.source:
            groups.setdefault(pool.source.partition("/")[0], []).append(pool)
    found = []
    for members in groups.values():
        for pool in members:
            others = Counter[int]()
            for other in members:
                if other is not pool and other.times is not None:
                    others[other.times] += 1
            if pool.times is None or not others:
                continue
            usual, agreeing = others.most_common(1)[0]
            # Of two sources that differ neither is the odd one; say it once, of the one listed more often.
            if pool.times != usual and (agreeing > 1 or pool.times > usual):
                found.append(f"{pool.source}: {_files(pool.files)} x{pool.times} where its group's others are x{usual}")
    return found


def _uneven(files: FileList, pools: Sequence[Pool]) -> list[str]:
    found = []
    for pool in pools:
        if pool.times is None:
            times = Counter(file.path for file in files.files if file.source == pool.source)
            usual = next(iter(pool.copies))
            odd = [f"{path} x{count}" for path, count in times.items() if count != usual]
            parts = ", ".join(f"{_files(count)} x{times}" for times, count in pool.copies.items())
            found.append(f"{pool.source}: listed unevenly: {parts}; {named(odd)}")
    return found


def _copies(pools: Sequence[Pool]) -> list[str]:
    repeated: dict[int, list[str]] = {}
    for pool in pools:
        if pool.times is not None and pool.times > 1:
            repeated.setdefault(pool.times, []).append(f"{pool.source} ({_files(pool.files)})")
    return [
        f"listed {times} times, Source % {100 * times} of what is listed: {', '.join(names)}"
        for times, names in sorted(repeated.items())
    ]


def _differences(pools: Sequence[Pool], against: Manifest) -> list[str]:
    """Copies that another mix's Source % contradicts; a Source % below 100 says nothing of copies."""
    wanted: Mapping[str, float] = {
        name: claim.share.source_percent
        for claim in against.claims()
        for name in claim.sources
        if claim.share.source_percent is not None and claim.share.source_percent >= 100
    }
    found = []
    for pool in pools:
        group = next((name for name in wanted if pool.source.startswith(name + "/")), None)
        percent = wanted.get(pool.source, wanted.get(group) if group else None)
        if percent is not None and pool.times is not None and 100 * pool.times != percent:
            found.append(f"{pool.source}: Source % {100 * pool.times} here, {percent:g} in {against.name}")
    return found


def _of_several_sources(files: FileList) -> list[str]:
    sources: dict[str, set[str]] = {}
    for file in files.files:
        sources.setdefault(file.path, set()).add(file.source)
    return [path for path, names in sources.items() if len(names) > 1]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
