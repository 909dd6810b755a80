"""A model to train: a Hugging Face architecture on no device, sharded, then given memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from dolmino_cli.errors import ConfigError, first_line
from dolmino_cli.train.model import attention
from dolmino_cli.train.model.head import Head
from dolmino_cli.train.model.head_form import find_head_form
from dolmino_cli.train.model.layout import Layout, find_layout
from dolmino_cli.train.model.loss_sums import LossSums
from dolmino_cli.train.model.parallel import parallelize
from dolmino_cli.train.model.rebuilt_buffers import rebuild, restore
from dolmino_cli.train.run_file import Hardware


class TrainedModel(nn.Module):  # type: ignore[misc]
    """A transformers model whose forward pass gives the sums of the loss. `hf` is that model, its keys are Hugging Face's."""

    def __init__(self, hf: Any, layout: Layout) -> None:
        super().__init__()
        self.hf = hf
        self.layout = layout

    def forward(
        self,
        ids_RL: Tensor,
        counts_RL: Tensor,
        sources_RL: Tensor,
        positions_RL: Tensor | None,
        *,
        z_loss: float,
        scale: Tensor | float,
        sources: int,
    ) -> LossSums:
        """The loss of R windows of L tokens. `counts_RL[r, t]`: does predicting token t, from those before it, count?

        `positions_RL` (document masking) is each token's place in its document: attention and rotary positions stop at borders.
        `sources_RL` is below `sources`. `scale` multiplies the loss that is differentiated, not the sums beside it.
        """
        documents = {}
        if positions_RL is not None:
            documents = {"attention_mask": attention.same_document(positions_RL), "position_ids": positions_RL}
        hidden_RLD = self.hf.base_model(input_ids=ids_RL, use_cache=False, **documents).last_hidden_state
        # Position t predicts token t + 1. The last one's target is no token of the window: rolled around, and never counted.
        # To cut it off would copy the hidden states.
        counts_RL = counts_RL.roll(-1, 1)
        counts_RL[:, -1] = False
        loss, ce, z, ce_S, counted_S = self.hf.get_submodule(self.layout.head)(
            hidden_RLD.flatten(0, 1),
            ids_RL.roll(-1, 1).flatten().long(),
            counts_RL.flatten(),
            sources_RL.roll(-1, 1).flatten(),
            z_loss=z_loss,
            scale=scale,
            sources=sources,
        )
        return LossSums(loss=loss, ce=ce, z=z, ce_S=ce_S, counted_S=counted_S)


def build(config: Any, *, hardware: Hardware, mesh: DeviceMesh, device: torch.device) -> TrainedModel:
    """The causal language model of `config` (of transformers), sharded over `mesh`; its weights are memory not yet filled.

    No dropout, whatever the config says: neither paper trained with any. Raises ConfigError for what cannot be trained faithfully
    (layout.py, head_form.py).
    """
    hf = on_meta(config)
    layout = find_layout(hf)
    form = find_head_form(hf, layout.head)
    compiled = hardware.compile and compiles(device)
    hf.set_submodule(layout.head, Head(hf.get_submodule(layout.head), form, hardware.head_chunk_tokens, compile=compiled))
    buffers = rebuild(hf)
    model = TrainedModel(hf, layout)
    parallelize(model, hf, layout, hardware=hardware, mesh=mesh, compiled=compiled)
    model.to_empty(device=device)
    if layout.tied:
        # to_empty() gave each of the two names memory of its own.
        hf.get_submodule(layout.head).weight = layout.embedding.weight
    restore(hf, buffers)
    return model


def compiles(device: torch.device) -> bool:
    """On a CPU, compiling takes longer than what it saves."""
    return bool(device.type == "cuda")


def on_meta(config: Any) -> Any:
    """The transformers model of `config` without memory, in fp32 and evaluation mode (which is what leaves dropout out).

    Raises ConfigError for a configuration that is of no causal language model.
    """
    import copy

    from transformers import AutoModelForCausalLM

    attention.register()
    try:
        with torch.device("meta"):
            # from_config writes into the config it is given.
            hf = AutoModelForCausalLM.from_config(copy.deepcopy(config), dtype=torch.float32, attn_implementation=attention.NAME)
    except Exception as error:  # noqa: BLE001 — no causal model of the kind, sizes that do not fit: whatever transformers raises.
        raise ConfigError(f"transformers builds no causal language model of a {config.model_type}: {first_line(error)}") from None
    # A mix has no padding. Where the padding token is the end-of-document token too (Qwen), its embedding would not be trained.
    if (embedding := hf.get_input_embeddings()) is not None:
        embedding.padding_idx = None
    return hf.eval()
