"""A tiny mix and a tiny checkpoint, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

for library in ("torch", "transformers", "safetensors"):
    pytest.importorskip(library, reason="needs the extra [train]")


@pytest.fixture(scope="session")
def tiny_mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 300 windows of 64 tokens from three sources, some of them repeating themselves; see data/make.py."""
    from tests.train.data.make import write_mix

    return write_mix(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Olmo2 of two layers, as save_pretrained writes it."""
    from tests.train.tiny import save_tiny

    return save_tiny(tmp_path_factory.mktemp("checkpoint"))
