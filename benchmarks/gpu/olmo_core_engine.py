"""The same step by ai2-olmo-core 3.0: its model, FSDP, compilation, loss, clipping and AdamW, as its official scripts have them.

Weights of 32 bits, arithmetic of 16 where there is a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from olmo_core.config import DType
from olmo_core.distributed.parallel import DataParallelType
from olmo_core.nn.transformer import TransformerConfig
from olmo_core.optim import AdamWConfig, OptimGroupOverride
from olmo_core.train.train_module import TransformerTrainModuleConfig
from olmo_core.train.train_module.transformer import TransformerDataParallelConfig

from benchmarks.gpu.cases import Case
from benchmarks.gpu.measure import RATE, Z_LOSS, configuration, ids_of
from dolmino_cli.train.ranks import Ranks

MODELS = {"olmo2-1b": TransformerConfig.olmo2_1B_v2, "olmo2-7b": TransformerConfig.olmo2_7B}


class _NoTrainer:
    """Takes the place of olmo-core's Trainer, whose metrics, callbacks and data loader are not measured."""

    def __init__(self) -> None:
        self.loss = torch.zeros(())

    def record_ce_loss(self, value: Any, **_: Any) -> None:
        self.loss = value

    def record_metric(self, *_: Any, **__: Any) -> None:
        pass


def olmo_core(case: Case, ranks: Ranks) -> Callable[[int], torch.Tensor]:
    """What makes a step, and returns the mean cross-entropy, still on the device."""
    config = configuration(case)
    if case.shape in MODELS:
        model = MODELS[case.shape](config.vocab_size, **({"n_layers": case.layers} if case.layers else {}))
    else:
        sizes = {"d_model": config.hidden_size, "n_layers": config.num_hidden_layers, "n_heads": config.num_attention_heads}
        model = TransformerConfig.llama_like(vocab_size=config.vocab_size, **sizes)
    expected = sum(weight.numel() for weight in _reference(config).parameters())
    if case.shape in MODELS and model.num_params != expected:
        raise SystemExit(f"olmo-core's {case.shape} has {model.num_params:,} weights, not {expected:,}")
    module = TransformerTrainModuleConfig(
        rank_microbatch_size=case.micro_batch * case.sequence_length,
        max_sequence_length=case.sequence_length,
        optim=AdamWConfig(
            lr=RATE,
            betas=(0.9, 0.95),
            weight_decay=0.1,
            fused=True,
            group_overrides=[OptimGroupOverride(params=["embeddings.weight"], opts={"weight_decay": 0.0})],
        ),
        max_grad_norm=1.0,
        compile_model=case.compile,
        dp_config=TransformerDataParallelConfig(
            name=DataParallelType.fsdp,
            param_dtype=DType.bfloat16 if ranks.device.type == "cuda" else DType.float32,
            reduce_dtype=DType.float32,
        ),
        z_loss_multiplier=Z_LOSS,
    ).build(model.build(init_device="meta"), device=ranks.device)
    trainer = _NoTrainer()
    module._attach_trainer(trainer)

    def step(number: int) -> torch.Tensor:
        ids = torch.from_numpy(ids_of(case, config.vocab_size, number)).long()
        module.zero_grads()
        module.train_batch({"input_ids": ids})
        module.optim_step()
        return trainer.loss

    return step


def _reference(config: Any) -> Any:
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)
