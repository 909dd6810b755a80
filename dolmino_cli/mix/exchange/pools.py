"""What a file list holds of each source: its files, how often each is listed, and the tokens of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dolmino_cli.mix.exchange.file_list import FileList, Header, ListedFile


@dataclass(frozen=True, kw_only=True)
class Count:
    """Tokens, give or take `within`: half the last digit of printed counts, 0 for exact ones."""

    tokens: int
    within: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(tokens=self.tokens + other.tokens, within=self.within + other.within)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """One source of a list. `copies` is how often a file is listed -> how many files are, most files first."""

    source: str
    files: int
    copies: dict[int, int]
    held: Count | None
    """Tokens of its files, each once; None where they are not known."""
    listed: Count | None
    """Tokens of its files, each as often as it is listed."""
    by_sizes: bool
    """The tokens were counted file by file, not by comments above the files."""
    first_line: int | None
    header_lines: tuple[int, ...]

    @property
    def entries(self) -> int:
        """Lines of the list."""
        return sum(times * files for times, files in self.copies.items())

    @property
    def times(self) -> int | None:
        """How often every file is listed; None where some are listed more often than others."""
        return next(iter(self.copies)) if len(self.copies) == 1 else None


def pools_of(files: FileList) -> tuple[Pool, ...]:
    """The sources in the order of their first file."""
    members: dict[str, list[ListedFile]] = {}
    for file in files.files:
        members.setdefault(file.source, []).append(file)
    blocks: dict[str, list[tuple[Header | None, tuple[ListedFile, ...]]]] = {name: [] for name in members}
    for header, block in files.blocks():
        for name in dict.fromkeys(file.source for file in block):
            blocks[name].append((header, block))
    return tuple(_pool(name, members[name], blocks[name]) for name in members)


def total(counts: Iterable[Count | None]) -> Count | None:
    """Their sum; None where one is not known."""
    found = list(counts)
    known = [count for count in found if count is not None]
    return sum(known, Count(tokens=0)) if len(known) == len(found) else None


def _pool(name: str, members: list[ListedFile], blocks: list[tuple[Header | None, tuple[ListedFile, ...]]]) -> Pool:
    times = Counter(file.path for file in members)
    sizes = {file.path: file.tokens for file in members}
    by_sizes = all(tokens is not None for tokens in sizes.values())
    if by_sizes:
        held = total(Count(tokens=tokens) for tokens in sizes.values() if tokens is not None)
        listed = total(Count(tokens=times[path] * tokens) for path, tokens in sizes.items() if tokens is not None)
    else:
        held, listed = _by_headers(name, blocks)
    return Pool(
        source=name,
        files=len(times),
        copies=dict(sorted(Counter(times.values()).items(), key=lambda item: (-item[1], item[0]))),
        held=held,
        listed=listed,
        by_sizes=by_sizes,
        first_line=members[0].line,
        header_lines=tuple(header.line for header, _ in blocks if header is not None and header.line is not None),
    )


def _by_headers(name: str, blocks: list[tuple[Header | None, tuple[ListedFile, ...]]]) -> tuple[Count | None, Count | None]:
    """(each file once, as often as listed) by the comments above the files: a copy of a block repeats its comment.

    Not known where a block has no count or files of another source; each file once neither where blocks share some files only,
    or one lists some of its files more often than others.
    """
    listed: Count | None = Count(tokens=0)
    held: dict[frozenset[str], Count] | None = {}
    for header, block in blocks:
        if header is None or header.tokens is None or any(file.source != name for file in block):
            return None, None
        count = Count(tokens=header.tokens, within=rounding(header))
        listed = count if listed is None else listed + count
        copies = Counter(file.path for file in block)
        repeated = set(copies.values())
        if len(repeated) > 1:
            held = None
        if held is not None:
            (inside,) = repeated
            held.setdefault(frozenset(copies), Count(tokens=count.tokens // inside, within=-(-count.within // inside)))
    if held is None or sum(len(paths) for paths in held) > len(frozenset().union(*held)):
        return None, listed
    return sum(held.values(), Count(tokens=0)), listed


def rounding(header: Header) -> int:
    """Half the last digit of a source comment's count, which has two decimals of its unit."""
    if header.exact or header.tokens is None:
        return 0
    return next((size // 200 for size in (10**12, 10**9, 10**6, 10**3) if header.tokens >= size), 0)
