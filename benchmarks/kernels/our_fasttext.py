"""Our fastText stage in memory: seconds per pass over all documents, and DCLM's score of each.

Usage: python our_fasttext.py DOCUMENTS.jsonl.zst MODEL LABEL OUTPUT.npy PASSES [LONG_DOCUMENTS]
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from dolmino_cli.shards.reading import read_batches
from dolmino_cli.stages import STAGES


def main(documents: str, model: str, label: str, output: str, passes: str, long_documents: str = "folded") -> None:
    """Write the score per document (float64); print the seconds of every pass. Batches are those of a real run."""
    stage = STAGES["fasttext"](model=model, label=label, into="quality", long_documents=long_documents)
    stage.prepare()
    batches = [batch for batch, _ in read_batches(documents)]
    seconds = []
    for _ in range(int(passes)):
        started = time.perf_counter()
        scores = [stage(batch) for batch in batches]
        seconds.append(time.perf_counter() - started)
    np.save(output, np.concatenate([column.to_numpy(zero_copy_only=False) for column in scores]))
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
