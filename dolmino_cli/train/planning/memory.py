"""How much memory a run needs on each GPU: an estimate from the shape alone, before any GPU is touched."""

from __future__ import annotations

from dataclasses import dataclass

from dolmino_cli.train.planning.sizes import Sizes
from dolmino_cli.train.run_file import Hardware

_FP32, _BF16 = 4, 2
# The CUDA context, NCCL's buffers, and what the allocator cannot use between blocks of many sizes.
_OUTSIDE_BYTES = 2 * 10**9
_FRAGMENTED = 0.03


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes per GPU, by what they hold. Weights, gradients and moments are exact; the rest is what the estimate assumes."""

    states: int
    """fp32 weights, gradients and both moments, 16 bytes a parameter, sharded over the GPUs of one replica."""
    unsharded_gradients: int
    """With `reduce_every_micro_batch: false`: fp32 gradients of the whole model, besides."""
    gathered: int
    """Weights in the precision of the arithmetic: embedding and head whole, two blocks (one computes, the next is prefetched);
    and the gradient of the largest unit in that precision and, to be reduced, in fp32."""
    activations: int
    """What the backward pass needs of the forward one, by the mode of activation checkpointing, for one micro-batch."""
    logits: int
    """Of one chunk of tokens: in the precision of the arithmetic and in fp32 with its gradient; the head's gradient in fp32."""
    outside: int
    """2 GB for CUDA and NCCL, and 3 % of all else that lies unused between blocks of memory."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.states + self.unsharded_gradients + self.gathered + self.activations + self.logits + self.outside


def memory_of(sizes: Sizes, hardware: Hardware, *, sequence_length: int, gpus: int) -> Memory:
    """The estimate for a model of `sizes` on `gpus` GPUs in all.

    Activations are counted for SDPA that does not store its scores. Per token and layer, in values of the arithmetic's precision:

    - `none`: both residuals and both normed inputs (4 widths), queries, keys and values before and after the rotation, the
      attention's output, and three times the inner width; half as much again without torch.compile, which stores less;
    - `selective`: one residual, the attention's output, and every second projection's: queries, values, gate, down;
    - `full`: one residual.

    The two latter hold one whole layer besides, while it is computed again. Not measured on a GPU yet.
    """
    compute = _BF16 if hardware.precision == "bf16" else _FP32
    shards = max(1, gpus // hardware.replicas)
    tokens = hardware.micro_batch_sequences * sequence_length
    layer = 4 * sizes.width + 3 * sizes.query_width + 4 * sizes.key_value_width + 3 * sizes.inner
    if not hardware.compile:
        layer += layer // 2
    selective = 2 * sizes.width + 2 * sizes.query_width + sizes.key_value_width + sizes.inner
    stored = {"none": layer, "selective": selective, "full": sizes.width}
    kept = stored[hardware.activation_checkpointing]
    again = 0 if hardware.activation_checkpointing == "none" else layer
    largest = max(sizes.block_parameters, sizes.embedding_parameters)
    whole = sizes.embedding_parameters * (1 if sizes.tied else 2) + 2 * sizes.block_parameters
    chunk = min(hardware.head_chunk_tokens, tokens)
    parts = {
        "states": 16 * sizes.parameters // shards,
        "unsharded_gradients": 0 if hardware.reduce_every_micro_batch else _FP32 * sizes.parameters,
        "gathered": compute * whole + (compute + _FP32) * largest,
        # Embedded tokens and the last hidden states, with their gradients, are there once.
        "activations": compute * tokens * (sizes.layers * kept + again + 4 * sizes.width),
        "logits": chunk * sizes.vocabulary * (compute + 2 * _FP32) + _FP32 * sizes.embedding_parameters,
    }
    return Memory(outside=_OUTSIDE_BYTES + int(_FRAGMENTED * sum(parts.values())), **parts)
