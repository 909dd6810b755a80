"""What is exported loads with from_pretrained and gives the logits of the model in training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.tokens.arrays import TokenizerRecord
from dolmino_cli.train.model import export as module
from dolmino_cli.train.model.checkpoint import open_checkpoint, read_json, tokenizer_files_in
from dolmino_cli.train.model.export import export
from dolmino_cli.train.model.mix_tokenizer import tokenizer_at_hand
from dolmino_cli.train.model.weights_in import fill, fill_random
from dolmino_cli.train.saving.origin import ORIGIN, write_origin
from tests.train.model import tiny


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "olmo2"])
def test_loads_in_transformers_with_the_same_loss(kind: str, tmp_path: Path, build_tiny: Callable[..., Any]) -> None:
    from transformers import AutoModelForCausalLM

    model = build_tiny(tiny.config(kind))
    fill_random(model, 7)
    export(model, tmp_path / "out", checkpoint=None, dtype="fp32")
    loaded, report = AutoModelForCausalLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert loaded.dtype == torch.float32
    ids_RL, counts_RL, sources_RL = tiny.windows()
    sums = model(ids_RL, counts_RL, sources_RL, None, z_loss=1.0, scale=1.0, sources=3)
    ce, z = tiny.plain_sums(loaded(ids_RL).logits, ids_RL, counts_RL)
    assert (sums.ce.item(), sums.z.item()) == pytest.approx((ce.item(), z.item()), rel=1e-6)


def test_a_checkpoint_goes_through_unchanged(tmp_path: Path, build_tiny: Callable[..., Any]) -> None:
    """In several files, with an index; the config is the checkpoint's, and its tokenizer is copied."""
    from safetensors.torch import load_file

    source = tiny.save(tmp_path / "in", "qwen2", eos_token_id=3)
    (source / "tokenizer.json").write_text("{}")
    checkpoint = open_checkpoint(str(source))
    model = build_tiny(checkpoint.config)
    fill(model, checkpoint)
    export(model, tmp_path / "a" / "out", checkpoint=checkpoint, dtype="fp32", file_bytes=100_000)

    again = open_checkpoint(str(tmp_path / "a" / "out"))
    assert [path.name for path in again.weight_files] == [f"model-0000{number}-of-00004.safetensors" for number in (1, 2, 3, 4)]
    expected = load_file(source / "model.safetensors")
    found = {name: tensor for path in again.weight_files for name, tensor in load_file(path).items()}
    assert found.keys() == expected.keys() == again.weights.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert read_json(again.folder / "config.json") == read_json(source / "config.json")
    assert [path.name for path in again.tokenizer_files] == ["tokenizer.json"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["out"]


def test_bf16_is_rounded_once(tmp_path: Path, build_tiny: Callable[..., Any]) -> None:
    from safetensors.torch import load_file

    model = build_tiny(tiny.config("llama"))
    fill_random(model, 7)
    export(model, tmp_path / "out", checkpoint=None, dtype="bf16")
    found = load_file(tmp_path / "out" / "model.safetensors")
    for name, weight in model.hf.named_parameters():
        assert torch.equal(found[name], weight.full_tensor().bfloat16())
    assert read_json(tmp_path / "out" / "config.json")["dtype"] == "bfloat16"


def test_never_over_an_existing_folder(tmp_path: Path, build_tiny: Callable[..., Any]) -> None:
    model = build_tiny(tiny.config("llama"))
    with pytest.raises(ConfigError, match="exists already"):
        export(model, tmp_path, checkpoint=None, dtype="bf16")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be exported"):
        export(model, tmp_path / "file" / "out", checkpoint=None, dtype="bf16")


def test_two_exports_to_one_folder(tmp_path: Path, build_tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is refused on all ranks alike, by what rank 0 says; the first is whole."""
    model = build_tiny(tiny.config("llama"))
    fill_random(model, 7)
    to = partial(export, model, checkpoint=None, dtype="bf16")
    gathered = module._gathered

    def second_begins(*arguments: Any) -> Iterator[torch.Tensor]:
        first, *others = gathered(*arguments)
        yield first
        monkeypatch.undo()
        with pytest.raises(StorageError, match=r"another process is writing .*out; wait until it has ended"):
            to(tmp_path / "out")
        yield from others

    to(tmp_path / "alone")
    monkeypatch.setattr(module, "_gathered", second_begins)
    to(tmp_path / "out")
    assert [path.read_bytes() for path in files(tmp_path / "out")] == [path.read_bytes() for path in files(tmp_path / "alone")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "out"]


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_a_mix_has_a_tokenizer_for_a_model_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only if it is the mix's own, byte for byte."""
    (tmp_path / "tokens").mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "notes.md"):
        (tmp_path / "tokens" / name).write_text("{}")
    monkeypatch.chdir(tmp_path)

    def found(name: str, text: str) -> list[str]:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        record = TokenizerRecord(name=name, sha256=sha256, vocabulary_size=3, eos_token=None, eos_id=2)
        return [path.name for path in tokenizer_at_hand(record)]

    assert found("tokens", "{}") == found("tokens/tokenizer.json", "{}") == ["tokenizer.json", "tokenizer_config.json"]
    # It goes on to what the run's checkpoints are exported with.
    write_origin(tmp_path, None, tiny.config("llama"), [tmp_path / "tokens" / name for name in found("tokens", "{}")])
    assert [path.name for path in tokenizer_files_in(tmp_path / ORIGIN)] == ["tokenizer.json", "tokenizer_config.json"]
    assert found("tokens", "other") == found("nowhere", "{}") == found("no-such-owner/no-such-name", "{}") == []
