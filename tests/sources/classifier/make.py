"""Small labelled sets that are easy to tell apart."""

from __future__ import annotations

import json
import random
from pathlib import Path

from dolmino_cli.shards.listing import list_shards
from dolmino_cli.sources.classifier.labelled import LabelledShard
from tests.pipeline.make import write_shard

SUMS, TALK = "prove lemma equals integer sum root angle".split(), "coffee harbour gossip weather dinner garden bus".split()
SHARED = "the a of and we is so now".split()


def texts(words: list[str], count: int, seed: int) -> list[str]:
    dice = random.Random(seed)
    return ["\n".join(" ".join(dice.choices([*words, *SHARED], k=12)) for _ in range(2)) for _ in range(count)]


def write_texts(path: Path, lines: list[str]) -> Path:
    return write_shard(path, [json.dumps({"text": text}).encode() for text in lines])


def two_kinds(folder: Path, count: int = 120) -> list[LabelledShard]:
    """`count` texts of sums and as many of talk, in a shard each."""
    sums = write_texts(folder / "sums.jsonl.zst", texts(SUMS, count, 1))
    talk = write_texts(folder / "talk.jsonl.zst", texts(TALK, count, 2))
    return [LabelledShard(shard=list_shards([str(path)])[0], label=path == sums) for path in (sums, talk)]
