"""The definition of a tokenizer's ids: Hugging Face `tokenizers` (what dolma runs), document by document."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import tokenizers

from dolmino_cli.errors import ConfigError
from dolmino_cli.tokenizer.identity import TokenizerIdentity
from dolmino_cli.tokenizer.tokens import Ids, Tokens

SpecialTokens = Literal["text", "token"]


class Reference:
    """Encodes without the tokenizer's template (no bos or eos of its own), truncation or padding.

    `special_tokens="text"` is dolma's `encode_special_tokens`: a literal "<|endoftext|>" in a document is plain text;
    with "token" it becomes the special id.
    """

    description = f"tokenizers {tokenizers.__version__}"

    def __init__(self, identity: TokenizerIdentity, special_tokens: SpecialTokens) -> None:
        try:
            self._tokenizer = tokenizers.Tokenizer.from_buffer(identity.json_bytes)
        except Exception as error:  # noqa: BLE001 — the library raises plain Exception for what it can't load.
            raise ConfigError(f"{identity.path} cannot be loaded by {self.description}: {error}") from None
        # Both are stored inside some tokenizer.json files (a model's context length) and would cut documents silently.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._tokenizer.encode_special_tokens = special_tokens == "text"

    def encode_one(self, text: str) -> Ids:
        """The ids of one document."""
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.uint32)

    def encode(self, text: pa.LargeStringArray) -> Tokens:
        """The ids of every document."""
        return Tokens.of([self.encode_one(document.as_py()) for document in text])

    def token(self, token_id: int) -> str | None:
        """A token's text as the vocabulary writes it, None when there is no such id."""
        return self._tokenizer.id_to_token(token_id)
