"""What reading and writing alone cost: every .jsonl.zst record parsed, serialised and compressed again, nothing decided.

Usage: DOCUMENTS OUTPUT
"""

import io
import sys
from pathlib import Path

import orjson
import zstandard

documents, output = sys.argv[1:]
for shard in sorted(Path(documents).iterdir()):
    with shard.open("rb") as file, zstandard.open(Path(output, shard.name), "wb") as out:
        for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file), 1 << 20):
            out.write(orjson.dumps(orjson.loads(line)) + b"\n")
