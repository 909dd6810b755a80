"""Token arrays of all documents of a folder, as two .npy files: ids (uint32) and offsets (int64).

Usage: python make_tokens.py DOCUMENTS TOKENIZER IDS.npy OFFSETS.npy
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from dolmino_cli.shards.reading import read_batches
from dolmino_cli.tokenizer.engine import load_engine


def main(documents: str, tokenizer: str, ids: str, offsets: str) -> None:
    """Write both arrays; print the number of tokens."""
    engine = load_engine(tokenizer)
    made = [engine.encode(batch.text) for shard in sorted(Path(documents).iterdir()) for batch, _ in read_batches(str(shard))]
    flat = np.concatenate([tokens.ids for tokens in made])
    np.save(ids, flat)
    np.save(offsets, np.concatenate([[0], np.cumsum(np.concatenate([np.diff(tokens.offsets) for tokens in made]))]))
    print(json.dumps({"tokens": len(flat)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
