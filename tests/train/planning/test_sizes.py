"""Parameters, FLOPs and memory from a config.json: against published totals, published speeds, and transformers' own models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.planning.devices import DEVICES, FoundGPU, device_named, found_gpu
from dolmino_cli.train.planning.memory import memory_of
from dolmino_cli.train.planning.shapes import SHAPES, config_of, shape, unlike
from dolmino_cli.train.planning.sizes import Sizes, sizes_of
from dolmino_cli.train.planning.throughput import Throughput
from dolmino_cli.train.run_file import Hardware

SMALL = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"attention_bias": True, "mlp_bias": True},
    "mistral": {"sliding_window": 8},
    "granite": {},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 16},
    "olmo": {},
    "olmo2": {},
    "olmo3": {"sliding_window": 8},
    "gemma2": {"head_dim": 16, "sliding_window": 8},
    "gemma3_text": {"head_dim": 16, "sliding_window": 8},
}


def of(name: str) -> Sizes:
    sizes = sizes_of(shape(name).config_json())
    assert sizes is not None
    return sizes


def test_totals_are_the_released_models() -> None:
    """LLM-jp's: training-definitions, 4.1; OLMo 2's: what their safetensors hold."""
    assert {name: of(name).parameters for name in SHAPES if name != "tiny"} == {
        "olmo2-1b": 1_484_916_736,
        "olmo2-7b": 7_298_617_344,
        "olmo2-13b": 13_716_198_400,
        "olmo2-32b": 32_234_279_936,
        "llm-jp-1.3b": 1_313_933_312,
        "llm-jp-7.7b": 7_795_380_224,
    }


def test_parameters_are_those_that_transformers_builds() -> None:
    """Every family that is counted, and every shape, on the meta device: head, embeddings, biases, norms and ties included."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    configs = {kind: transformers.AutoConfig.for_model(kind, **{**SMALL, **more}) for kind, more in FAMILIES.items()}
    configs |= {name: config_of(name) for name in SHAPES}
    counted, built = {}, {}
    for name, config in configs.items():
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(config)
        model.tie_weights()
        built[name] = sum(weight.numel() for weight in model.parameters())
        sizes = sizes_of(config.to_dict())
        counted[name] = sizes.parameters if sizes else None
    assert counted == built


def test_other_families_are_not_guessed() -> None:
    assert sizes_of({"model_type": "mixtral", **SMALL}) is None
    assert Throughput.of({"model_type": "mixtral"}, sequence_length=64, device_name="NVIDIA H200", gpus=1).mfu(1e4) is None


def test_sliding_attention_reaches_only_so_far() -> None:
    sliding = {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
    sizes, whole = sizes_of({"model_type": "olmo3", **SMALL, **sliding}), sizes_of({"model_type": "olmo3", **SMALL})
    assert sizes is not None and whole is not None
    assert whole.flops_per_token(64) - sizes.flops_per_token(64) == 12 * 32 * 2 * (64 - 16)


@pytest.mark.parametrize(
    ("name", "speed", "teraflops", "mfu"),
    [  # LLM-jp's Table 4: tokens/s/GPU computed from its hours; training-definitions, 4.1
        ("llm-jp-1.3b", 41_757, (413, 345), (41.7, 34.9)),
        ("llm-jp-1.3b", 40_366, (399, 334), (40.3, 33.8)),
        ("llm-jp-1.3b", 38_980, (385, 322), (38.9, 32.6)),
        ("llm-jp-7.7b", 6_880, (394, 349), (39.8, 35.3)),
        ("llm-jp-7.7b", 6_821, (390, 346), (39.5, 35.0)),
        ("llm-jp-7.7b", 6_830, (391, 347), (39.5, 35.1)),
    ],
)
def test_mfu_of_llm_jp(name: str, speed: float, teraflops: tuple[int, int], mfu: tuple[float, float]) -> None:
    throughput = Throughput.of(shape(name).config_json(), sequence_length=8192, device_name="NVIDIA H200", gpus=128)
    assert throughput.flops_full is not None and throughput.flops_causal is not None
    assert tuple(round(speed * flops / 1e12) for flops in (throughput.flops_full, throughput.flops_causal)) == teraflops
    found = (throughput.mfu(speed), throughput.mfu(speed, "causal"))
    assert [round(100 * (share or 0), 1) for share in found] == pytest.approx(mfu, abs=0.11)


@pytest.mark.parametrize(
    ("name", "speed", "percent"), [("olmo2-1b", 55_000, 51.6), ("olmo2-7b", 10_000, 48.3), ("olmo2-13b", 4_600, 41.5)]
)
def test_mfu_of_olmo_core(name: str, speed: float, percent: float) -> None:
    """OLMo-core's README, H100; training-definitions, 4.2."""
    throughput = Throughput.of(shape(name).config_json(), sequence_length=4096, device_name="NVIDIA H100 80GB HBM3", gpus=1)
    assert round(100 * (throughput.mfu(speed) or 0), 1) == percent


def test_a_device_is_known_whole_or_not_at_all() -> None:
    """An H100 PCIe is not an H100 SXM, an H200 is not an A100, and what comes next is nobody."""
    names = {"NVIDIA H100 80GB HBM3": 989, "NVIDIA H100 PCIe": 756, "NVIDIA H200": 989, "NVIDIA A100-SXM4-80GB": 312, "h200": 989}
    assert {name: round(device_named(name).peak / 1e12) for name in names} == names  # type: ignore[union-attr]
    assert [device_named(name) for name in ("NVIDIA H300", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "cpu", "")] == [None] * 4
    assert len({device.name for device in DEVICES}) == len(DEVICES)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("NVIDIA H200, 143771, 500.00", FoundGPU(name="NVIDIA H200", memory_bytes=143_771 << 20, watts=500.0)),
        (
            "NVIDIA H200, 143771, [N/A]\nNVIDIA H200, 9, 700.00",
            FoundGPU(name="NVIDIA H200", memory_bytes=143_771 << 20, watts=None),
        ),
        ("No devices were found", None),
        ("", None),
    ],
)
def test_the_driver_is_asked(said: str, found: FoundGPU | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory, and the power limit as it is set: LLM-jp's were capped at 500 W."""
    script = tmp_path / "nvidia-smi"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert found_gpu() == found


def test_energy_is_power_times_time() -> None:
    """LLM-jp's 7.7B on 50B: 128 GPUs at 500 W for 17.6 h; blank where the power is not known."""
    config = shape("llm-jp-7.7b").config_json()
    capped = Throughput.of(config, sequence_length=8192, device_name="NVIDIA H200", gpus=128, watts=500)
    assert capped.kilowatt_hours(17.6 * 3600) == pytest.approx(128 * 0.5 * 17.6)
    assert Throughput.of(config, sequence_length=8192, device_name="cpu", gpus=1).kilowatt_hours(1.0) is None


def test_a_7b_does_not_fit_one_gpu() -> None:
    """16 bytes a parameter are 117 GB before any activation (training-definitions, 4.2)."""
    memory = memory_of(of("olmo2-7b"), Hardware(), sequence_length=4096, gpus=1)
    assert round(memory.states / 1e9) == 117
    assert memory.total > memory.states + memory.logits


def test_memory_follows_the_layout() -> None:
    def needed(gpus: int = 8, **changes: Any) -> Any:
        return memory_of(of("olmo2-7b"), Hardware(**changes), sequence_length=4096, gpus=gpus)

    plain = needed()
    assert needed(gpus=16, replicas=2).states == plain.states == 2 * needed(gpus=16).states
    assert needed(micro_batch_sequences=2).activations == 2 * plain.activations
    full, selective = (needed(activation_checkpointing=kind).activations for kind in ("full", "selective"))
    assert full < selective < plain.activations < needed(compile=False).activations
    assert needed(reduce_every_micro_batch=False).unsharded_gradients == 4 * of("olmo2-7b").parameters
    assert needed(head_chunk_tokens=1024).logits < plain.logits
    assert needed(precision="fp32").gathered > plain.gathered


def test_shapes_by_name() -> None:
    with pytest.raises(ConfigError, match=r"no shape 'olmo2-8b'; did you mean 'olmo2-\db'\? shapes: olmo2-1b, "):
        shape("olmo2-8b")
    config = shape("olmo2-7b").config_json()
    assert unlike("olmo2-7b", config) == unlike("olmo2-7b", {**config, "vocab_size": 1, "architectures": []}) == []
    assert unlike("olmo2-7b", {key: value for key, value in config.items() if key != "num_key_value_heads"}) == []
    assert unlike("olmo2-7b", shape("llm-jp-7.7b").config_json()) == [
        "model_type is 'llama', not 'olmo2'",
        "intermediate_size is 14336, not 11008",
        "num_key_value_heads is 8, not 32",
    ]
