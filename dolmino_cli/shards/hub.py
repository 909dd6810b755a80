"""The Hugging Face Hub as a store to read from: `hf://datasets/OWNER/NAME[@REVISION]/PATH`.

Token and endpoint are the Hub's own: HF_TOKEN (or a login), HF_ENDPOINT.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from dolmino_cli.errors import StorageError
from dolmino_cli.hub import bars_for_people, endpoint
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.shard import Shard

_READ_AHEAD_BYTES = 8 << 20
_FILE = re.compile(r"hf://(?:(datasets|spaces)/)?([^/]+/[^/@]+)(?:@((?:refs/(?:pr|convert)/)?[^/]+))?/(.+)")


def filesystem() -> Any:
    """The Hub's files for fsspec."""
    from huggingface_hub import HfFileSystem

    return HfFileSystem(endpoint=endpoint())


def stat(uri: str) -> Shard | None:
    """The file at `uri`; None where there is none (a folder is not one)."""
    with storage_errors("look at", uri):
        try:
            info = filesystem().info(uri.removeprefix("hf://"))
        except FileNotFoundError as error:
            _raise_refusal(error)
            return None
    return None if info["type"] != "file" else _shard(info, uri.rsplit("/", 1)[-1])


def walk(root: str) -> Iterator[Shard]:
    """Every file below the repository or folder `root`; names relative to it."""
    prefix = root.removeprefix("hf://").rstrip("/")
    with storage_errors("list", root):
        files = filesystem()
        try:
            found = files.find(prefix, detail=True)
        except FileNotFoundError as error:
            _raise_refusal(error)
            return
        # A revision given as a branch comes back in the names in quoted form: count from where the folder ends.
        start = len(files.resolve_path(prefix).unresolve()) + 1
        for path, info in sorted(found.items()):
            yield _shard(info, path[start:])


def open_bytes(uri: str) -> BinaryIO:
    """The file's bytes, fetched in ranges as they are read."""
    with storage_errors("read", uri):
        return cast(BinaryIO, filesystem().open(uri.removeprefix("hf://"), "rb", block_size=_READ_AHEAD_BYTES))


def fetch(uri: str) -> Path:
    """The file in the Hub library's own cache, downloaded unless it is there already: so it is found without a network, too."""
    from huggingface_hub import hf_hub_download

    parts = _FILE.fullmatch(uri)
    if parts is None:
        raise StorageError(
            f"cannot download {uri}: that names no file; give hf://OWNER/NAME/FILE or hf://datasets/OWNER/NAME/FILE"
        )
    kind, repository, revision, name = parts.groups()
    with storage_errors("download", uri), bars_for_people():
        return Path(
            hf_hub_download(
                repository,
                name,
                repo_type=kind.removesuffix("s") if kind else "model",
                revision=urllib.parse.unquote(revision) if revision else None,
                endpoint=endpoint(),
            )
        )


def _raise_refusal(error: FileNotFoundError) -> None:
    # The library calls a dataset that one may not see "not found"; the answer it got is the cause.
    if error.__cause__ is not None and getattr(getattr(error.__cause__, "response", None), "status_code", None) in (401, 403):
        raise error.__cause__


def _shard(info: dict[str, Any], name: str) -> Shard:
    large = info.get("lfs") or {}
    etag = large.get("sha256") or info.get("blob_id")
    return Shard(path=f"hf://{info['name']}", name=name, bytes=int(info["size"]), etag=etag)
