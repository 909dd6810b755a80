"""A checkpoint of a random Olmo2 of some thousand weights, with a tokenizer of bytes: what real ones are to transformers."""

from __future__ import annotations

from pathlib import Path


def tiny_checkpoint(folder: Path, *, seed: int = 0, vocabulary: int = 260) -> Path:
    """Written by save_pretrained. Ids 0 to 255 are bytes, then <eos>; more are without text."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import Olmo2Config, Olmo2ForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<eos>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<eos>")
    config = Olmo2Config(
        vocab_size=vocabulary,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=2048,
        eos_token_id=256,
        pad_token_id=256,
    )
    Olmo2ForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
