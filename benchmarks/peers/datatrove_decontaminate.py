"""datatrove's n-gram decontamination: `index` hashes instances as its filter will, `filter` runs the filter over a folder.

Usage: python datatrove_decontaminate.py index INSTANCES INDEX | filter DOCUMENTS INDEX OUTPUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.decont import NGramsDecontConfig, NGramsDecontFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.text import ngrams, simplify_text

N = 8


def index(instances: str, folder: str) -> None:
    """One file of hashes. datatrove's own indexer needs lighteval and takes its instances from there."""
    tool = NGramsDecontFilter(folder, NGramsDecontConfig(n_grams=N))
    hashes: set[int] = set()
    for line in Path(instances).read_text(encoding="utf-8").splitlines():
        words = tool.tokenizer.word_tokenize(simplify_text(json.loads(line)["text"], tool.config.norm_config))
        hashes.update(tool.hash_func(gram) for gram in map(" ".join, ngrams(words, N)))
    Path(folder).mkdir(parents=True, exist_ok=True)
    np.array(sorted(hashes), np.dtype(tool.config.hash_config.np_descr)).tofile(Path(folder) / "evals.index.hashes")


def run(documents: str, folder: str, output: str) -> None:
    """One task, one worker."""
    steps = [
        JsonlReader(documents, glob_pattern="*.jsonl.zst"),
        NGramsDecontFilter(folder, NGramsDecontConfig(n_grams=N)),
        JsonlWriter(f"{output}/kept"),
    ]
    LocalPipelineExecutor(pipeline=steps, tasks=1, workers=1, logging_dir=f"{output}/logs").run()


if __name__ == "__main__":
    {"index": index, "filter": run}[sys.argv[1]](*sys.argv[2:])
