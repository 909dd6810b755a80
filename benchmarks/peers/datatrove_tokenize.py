"""datatrove's DocumentTokenizer over a folder of .jsonl.zst, without shuffling.

Usage: python datatrove_tokenize.py DOCUMENTS TOKENIZER EOS_TOKEN OUTPUT WORKERS
"""

from __future__ import annotations

import os
import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer


def main(documents: str, tokenizer: str, eos_token: str, output: str, workers: str) -> None:
    """One task per worker."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    LocalPipelineExecutor(
        pipeline=[
            JsonlReader(documents, glob_pattern="*.jsonl.zst"),
            DocumentTokenizer(f"{output}/tokens", tokenizer, eos_token=eos_token, shuffle_documents=False),
        ],
        tasks=int(workers),
        workers=int(workers),
        logging_dir=f"{output}/logs",
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
