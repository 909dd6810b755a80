"""Which dumps a request means: archives and Posts.xml files -> one Dump a site, sorted by site."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from dolmino_cli.errors import ConfigError
from dolmino_cli.shards import local, storage
from dolmino_cli.shards.shard import Shard

Packing = Literal["plain", "gzip", "zstd", "7z"]

_PACKINGS: dict[str, Packing] = {"": "plain", ".gz": "gzip", ".zst": "zstd"}
_POSTS = re.compile(r"(?:(?P<site>.+)-)?Posts\.xml(?P<packing>\.gz|\.zst)?")
# Stack Overflow has an archive per table, the other sites one for all.
_OTHER_TABLES = ("Badges", "Comments", "PostHistory", "PostLinks", "Tags", "Users", "Votes")
_EXPECTED = "SITE.7z, SITE-Posts.7z, SITE/Posts.xml or SITE-Posts.xml (.gz, .zst)"


@dataclass(frozen=True, kw_only=True)
class Dump:
    """One site's posts: `site` is the name that its archive or folder has, such as `ai.stackexchange.com`."""

    site: str
    packing: Packing
    stored: Shard


def list_dumps(inputs: Sequence[str]) -> list[Dump]:
    """The dumps that `inputs` mean together, sorted by site.

    An input is a dump, a folder or prefix (all dumps below it), or a glob. The site is the archive's name (`-Posts` left
    out), or the name of the folder that holds Posts.xml. In a folder, archives of other tables and other files are passed
    over. Raises ConfigError for an input without a dump, a file that is none, and two dumps of one site; StorageError.
    """
    by_site: dict[str, Dump] = {}
    for given in inputs:
        found = list(_expand(given))
        if not found:
            raise ConfigError(f"{given}: no dump found; looked for {_EXPECTED}")
        for dump in found:
            other = by_site.setdefault(dump.site, dump)
            if other is not dump:
                both = f"{other.stored.path} and {dump.stored.path}"
                raise ConfigError(f"{both} are both dumps of {dump.site}; give one of them")
    return [by_site[site] for site in sorted(by_site)]


def _expand(given: str) -> Iterator[Dump]:
    found = storage.stat(given)
    if found is not None:
        path = given if "://" in given else str(Path(given).resolve())
        dump = _dump(found, path)
        if dump is None:
            raise ConfigError(f"{given}: not a dump of posts; allowed: {_EXPECTED}")
        yield dump
    elif glob.has_magic(given):
        yield from _matches(given)
    elif "://" not in given and not Path(given).is_dir():
        raise ConfigError(f"{given}: there is no such file or folder")
    else:
        root = given if "://" in given else str(Path(given).resolve())
        yield from _dumps((replace(shard, path=storage.join(given, shard.name)) for shard in storage.walk(given)), root)


def _matches(pattern: str) -> Iterator[Dump]:
    if "://" not in pattern:
        yield from _dumps(local.matching(pattern), None)
        return
    root = pattern[: pattern.rindex("/", 0, min(pattern.find(sign) for sign in "*?[" if sign in pattern))]
    wanted = PurePosixPath(pattern).parts
    yield from _dumps((shard for shard in storage.walk(root) if _fits(PurePosixPath(shard.path).parts, wanted)), None)


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(parts) == len(wanted) and all(PurePosixPath(part).match(one) for part, one in zip(parts, wanted, strict=True))


def _dumps(found: Iterable[Shard], root: str | None) -> Iterator[Dump]:
    for shard in found:
        below = shard.name if root is not None else PurePosixPath(shard.path).name
        if any(part.startswith(".") for part in PurePosixPath(below).parts):
            continue
        dump = _dump(shard, storage.join(root, shard.name) if root is not None else str(shard.path))
        if dump is not None:
            yield dump


def _dump(shard: Shard, path: str) -> Dump | None:
    """The dump that a file is by its (absolute) path, or None."""
    name = PurePosixPath(path).name
    if name.endswith(".7z"):
        site, _, table = name.removesuffix(".7z").rpartition("-")
        if site and table in _OTHER_TABLES:
            return None
        return Dump(site=site if site and table == "Posts" else name.removesuffix(".7z"), packing="7z", stored=shard)
    posts = _POSTS.fullmatch(name)
    if posts is None:
        return None
    site = posts["site"] or PurePosixPath(path).parent.name
    if not site:
        raise ConfigError(f"{path}: it lies in no folder that could name its site; put it into one such as ai.stackexchange.com")
    return Dump(site=site, packing=_PACKINGS[posts["packing"] or ""], stored=shard)
