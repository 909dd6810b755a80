"""Tiny tokenizers, made on the spot, of the kinds that exist."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

TEXTS = [
    "the quick brown fox jumps over the lazy dog, and the dog doesn't mind at all",
    "def main(argument):\n    return argument + 1  # one more\n\n\nprint(main(41))\n",
    "numbers 1 22 333 4444 and dates 2024-11-24, 50% off; x = y ** 2",
    "日本語のテキストと English が混ざる。Привет мир, здравствуй! café naïve",
] * 3
CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def byte_level(
    path: Path,
    *,
    size: int = 400,
    prefix_space: bool = False,
    pattern: str | None = None,
    normalizer: Any = None,
    added: Sequence[Any] = (),
    digits: bool = False,
) -> Path:
    """Byte-level BPE as GPT-2's or (with `pattern`) dolma2's; `digits`: each by itself. `<|endoftext|>` is 0, `<|pad|>` is 1."""
    tokenizer = Tokenizer(models.BPE())
    split: Any = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    if pattern is not None:
        raw = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space, use_regex=False)
        alone = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
        split = pre_tokenizers.Sequence([*alone, pre_tokenizers.Split(Regex(pattern), "isolated"), raw])
    tokenizer.pre_tokenizer = split
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|endoftext|>", "<|pad|>"]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    return _trained(tokenizer, trainer, path, added)


def byte_fallback(path: Path, *, prepend: str) -> Path:
    """SentencePiece-like BPE; `prepend` says which words get the space mark: first, always, never."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))], show_progress=False
    )
    _trained(tokenizer, trainer, path)
    # Byte tokens are ordinary entries of the vocabulary; the trainer knows no way to have them but as special ones.
    content = json.loads(path.read_text())
    content["added_tokens"] = [token for token in content["added_tokens"] if not token["content"].startswith("<0x")]
    path.write_text(json.dumps(content))
    return path


def unigram(path: Path) -> Path:
    """A SentencePiece-like unigram model; `</s>` is 1."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False)
    return _trained(tokenizer, trainer, path)


def _trained(tokenizer: Tokenizer, trainer: Any, path: Path, added: Sequence[Any] = ()) -> Path:
    tokenizer.train_from_iterator(TEXTS, trainer)
    if added:
        tokenizer.add_tokens(list(added))
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return path


__all__ = ["CL100K", "TEXTS", "AddedToken", "byte_fallback", "byte_level", "normalizers", "unigram"]
