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
    with shard.open("rb") as file, Path(output, shard.name).open("wb") as out:
        with zstandard.ZstdCompressor(level=3).stream_writer(out) as writer:
            for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file), 1 << 20):
                writer.write(orjson.dumps(orjson.loads(line)) + b"\n")
