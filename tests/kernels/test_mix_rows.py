"""Rows are what Python's csv module writes, byte for byte."""

from __future__ import annotations

import csv
import io
import random

import numpy as np
import pyarrow as pa

from dolmino_cli.kernels.mix_rows import mix_rows

SOURCES = ["web", "math/tinygsm-mind", "x"]


def test_rows_are_those_of_the_csv_module() -> None:
    dice = random.Random(0)
    alphabet = ["a", "é", "漢", " ", ";", "'", '"', ",", "\r", "\n", "<urn:uuid:1>", ""]
    texts = ["".join(dice.choices(alphabet, k=dice.randrange(6))) for _ in range(4000)]
    texts[:4] = ['"""""', "", ",", '"' * 50]
    ids, srcs = texts[:2000], texts[2000:]
    lengths = [dice.choice([0, 1, 9, 10, 99, 10**6, 10**12]) for _ in ids]
    bounds = np.cumsum([0, *lengths])
    source = np.array([dice.randrange(3) for _ in ids], np.uint16)
    loc = np.array([dice.choice([0, 1, 10, 999, 2**62]) for _ in ids])
    lines = []
    for i, text in enumerate(ids):
        line = io.StringIO(newline="")
        csv.writer(line).writerow([bounds[i], bounds[i + 1], text, f"{SOURCES[source[i]]}:{srcs[i]}", loc[i]])
        lines.append(line.getvalue())
    id, names, src = (pa.array(column, pa.large_string()) for column in (ids, SOURCES, srcs))
    for rows in (slice(0, 2000), slice(700, 703), slice(3, 3)):  # slices of a column too
        found = mix_rows(bounds[rows.start : rows.stop + 1], id[rows], source[rows], names, src[rows], loc[rows])
        assert found.tobytes().decode() == "".join(lines[rows])
