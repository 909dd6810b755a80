"""Made word problems in GSM8K's form, and the stage over them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.stages.renumber import Renumber
from dolmino_cli.stages.stage import Edited

MARKET = """Odile picks 48 plums and sells them at $3 each. She gives 25% of the money to Piet. How much does she keep?
She gets 48*3=$<<48*3=144>>144 for the plums.
Piet gets 144*.25=$<<144*.25=36>>36.
So she keeps $144-$36=$<<144-36=108>>108.
#### 108"""


def batch(texts: Sequence[str]) -> Batch:
    ids = [f"p{number}" for number in range(len(texts))]
    return Batch(
        shard="made.jsonl",
        id=pa.array(ids, pa.large_string()),
        text=pa.array(texts, pa.large_string()),
        record=pa.array([b"{}"] * len(texts), pa.large_binary()),
        line=pa.array(range(1, len(texts) + 1), pa.int64()),
    )


def edited(texts: Sequence[str], seed: int = 1) -> Edited:
    return Renumber(seed=seed).edit(batch(texts))


def outcome(text: str, seed: int = 1) -> str:
    """The new text, or the reason there is none."""
    done = edited([text], seed)
    reason = int(done.dropped[0])
    return str(done.text[0].as_py()) if reason < 0 else Renumber(seed=seed).reasons[reason]


def problem(question: str, *steps: str) -> str:
    return "\n".join((question, *steps))
