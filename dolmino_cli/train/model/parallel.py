"""How a model is laid out over GPUs: recomputation, compilation and FSDP2, in the one order in which they compose."""

from __future__ import annotations

from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.model.layout import Layout
from dolmino_cli.train.model.recomputing import recompute
from dolmino_cli.train.run_file import Hardware


def make_mesh(hardware: Hardware, device_type: str, world_size: int) -> DeviceMesh:
    """One dimension over all ranks, or (replicas, shards) where there are several copies of the model (HSDP)."""
    if world_size % hardware.replicas:
        raise ConfigError(f"replicas is {hardware.replicas}; it must divide the number of GPUs, {world_size}")
    if hardware.replicas == 1:
        return init_device_mesh(device_type, (world_size,), mesh_dim_names=("shard",))
    shape = (hardware.replicas, world_size // hardware.replicas)
    return init_device_mesh(device_type, shape, mesh_dim_names=("replicate", "shard"))


def parallelize(root: Any, hf: Any, layout: Layout, *, hardware: Hardware, mesh: DeviceMesh, compiled: bool) -> None:
    """Recomputation inside, compiled, sharded outside: FSDP's hooks then gather a block's weights before compiled code sees them,
    and are not run again when the block is computed a second time."""
    for block in layout.blocks:
        recompute(block, hardware.activation_checkpointing)
        if compiled:
            block.forward = torch.compile(block.forward)
    # Weights are fp32; what is computed with is cast when gathered. None leaves fp32 as it is.
    dtype = torch.bfloat16 if hardware.precision == "bf16" else None
    precise = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    # The loss's scale and positions pass through these two: inputs keep their type.
    as_given = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
    last = [part for part in (layout.norm, hf.get_submodule(layout.head)) if part is not None]
    for block in layout.blocks:
        fully_shard(block, mesh=mesh, mp_policy=precise)
    # The last unit of the forward pass is the first of the backward pass: to free and gather it again in between gains nothing.
    if layout.tied:
        # A weight belongs to one unit; this one is gathered first and freed last.
        fully_shard([layout.embedding, *last], mesh=mesh, mp_policy=as_given, reshard_after_forward=False)
    else:
        fully_shard(layout.embedding, mesh=mesh, mp_policy=as_given)
        fully_shard(last, mesh=mesh, mp_policy=as_given, reshard_after_forward=False)
    fully_shard(root, mesh=mesh, mp_policy=as_given)
