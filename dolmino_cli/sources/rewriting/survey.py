"""Survey: every document left is read and every prompt made once before the first is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from dolmino_cli.shards.shard import Shard
from dolmino_cli.sources.rewriting.requests import Wanted, read_asked

if TYPE_CHECKING:
    from dolmino_cli.tokenizer.engine import Engine


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """A shard's requests, and the text of their prompts (of all copies): UTF-8 bytes, and tokens where a tokenizer was given."""

    shard: Shard
    requests: int
    prompt_bytes: int
    prompt_tokens: int


def survey(shards: Sequence[Shard], wanted: Wanted, engine: Engine | None = None) -> Iterator[Surveyed]:
    """Read the shards; yields each when it is through.

    So a record that cannot be asked about stops the run (DataError, StorageError) before anything was paid.
    """
    for shard in shards:
        requests = prompt_bytes = prompt_tokens = 0
        for asked in read_asked(shard, wanted):
            prompts = ["\n".join(message["content"] for message in asked.messages(row)) for row in range(len(asked.batch))]
            requests += len(asked)
            prompt_bytes += wanted.copies * sum(len(prompt.encode()) for prompt in prompts)
            if engine is not None and prompts:
                prompt_tokens += wanted.copies * len(engine.encode(pa.array(prompts, pa.large_string())).ids)
        yield Surveyed(shard=shard, requests=requests, prompt_bytes=prompt_bytes, prompt_tokens=prompt_tokens)
