"""A process group of one, for models that are sharded over nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

for _library in ("torch", "transformers", "safetensors"):
    pytest.importorskip(_library, reason="needs the extra [train]")


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    import torch
    from torch import distributed

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    store = tmp_path_factory.mktemp("group") / "store"
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()
    torch.set_num_threads(threads)


@pytest.fixture
def build_tiny(one_rank: None) -> Callable[..., Any]:
    """build(config, **hardware) in fp32 on the CPU."""
    import torch

    from dolmino_cli.train.model.build import build
    from dolmino_cli.train.model.parallel import make_mesh
    from dolmino_cli.train.run_file import Hardware

    def build_it(config: Any, **fields: Any) -> Any:
        hardware = Hardware(**{"precision": "fp32", "head_chunk_tokens": 16, **fields})
        return build(config, hardware=hardware, mesh=make_mesh(hardware, "cpu", 1), device=torch.device("cpu"))

    return build_it
