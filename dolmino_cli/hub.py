"""Models and tokenizers of the Hugging Face Hub, in its library's own cache: what was had once is there without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dolmino_cli.errors import DolminoError, StorageError, first_line


def endpoint() -> str | None:
    """Of the Hub, as HF_ENDPOINT says now; None for the library's own."""
    return os.environ.get("HF_ENDPOINT") or None


def top_of(repository: str, revision: str | None, patterns: Sequence[str], *, asked: str, instead: str) -> Path:
    """The files of these names at the top of a model's repository, as a folder of the Hub library's cache.

    Folders below hold other formats of the same weights. Raises as `hub_errors`.
    """
    from huggingface_hub import snapshot_download

    with hub_errors(asked, instead=instead):
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=list(patterns),
                ignore_patterns=["*/*"],
                endpoint=endpoint(),
            )
        )


@contextmanager
def hub_errors(asked: str, *, instead: str) -> Iterator[None]:
    """What the library raises (HTTP, offline mode, no such repository or revision) as one StorageError.

    `asked`: what could not be had; `instead`: what to give in its place. A DolminoError passes.
    """
    try:
        yield
    except DolminoError:
        raise
    except Exception as error:  # noqa: BLE001 - they are of many kinds, and all mean the same here
        raise StorageError(f"{asked} could not be had from the hub ({first_line(error)}); {instead}") from None
