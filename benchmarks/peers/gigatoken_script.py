"""The 15 lines that a user writes who knows gigatoken: .jsonl.zst to token ids on disk, and nothing else.

No index of documents, no hashes, no checks, no restart. Usage: DOCUMENTS TOKENIZER EOS_ID DTYPE OUTPUT PROCESSES
"""

import io
import multiprocessing
import sys
from pathlib import Path

import gigatoken
import numpy as np
import orjson
import zstandard

documents, tokenizer_path, eos_id, dtype, output, processes = sys.argv[1:]
tokenizer = gigatoken.Tokenizer(tokenizer_path)
end = np.array([int(eos_id)], dtype)


def tokenize(path: Path) -> None:
    """One shard to one array."""
    with path.open("rb") as file, Path(output, f"{path.name}.npy").open("wb") as out:
        for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file), 1 << 20):
            out.write(tokenizer.encode(orjson.loads(line)["text"]).astype(dtype, copy=False))
            out.write(end)


if __name__ == "__main__":
    shards = sorted(Path(documents).iterdir())
    if processes == "1":
        for shard in shards:
            tokenize(shard)
    else:
        with multiprocessing.get_context("fork").Pool(int(processes)) as pool:
            pool.map(tokenize, shards, chunksize=1)
