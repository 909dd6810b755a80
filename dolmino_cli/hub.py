"""Models and tokenizers of the Hugging Face Hub, in its library's own cache: what was had once is there without a network."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dolmino_cli.errors import DolminoError, StorageError, first_line


def endpoint() -> str | None:
    """Of the Hub, as HF_ENDPOINT says now; None for the library's own."""
    return os.environ.get("HF_ENDPOINT") or None


def parted(hub_id: str) -> tuple[str, str | None]:
    """(`owner/name`, revision) of `owner/name@revision`; None where none is said."""
    repository, at, revision = hub_id.partition("@")
    return repository, revision if at else None


def top_of(repository: str, revision: str | None, patterns: Sequence[str], *, asked: str, instead: str) -> Path:
    """The files of these names at the top of a model's repository, as a folder of the Hub library's cache.

    Folders below hold other formats of the same weights. Raises as `hub_errors`.
    """
    from huggingface_hub import snapshot_download

    with hub_errors(asked, instead=instead), bars_for_people():
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
def bars_for_people() -> Iterator[None]:
    """The library's progress bars are shown on a terminal and by the command itself, not in logs and not by each worker."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = sys.stderr.isatty() and multiprocessing.parent_process() is None
    if shown or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


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
