"""Make the benchmarks' input: documents, shards, tokenizer, fastText model.

Documents are the real ones of the sample data (DOLMINO_SHARED_DATA, by default beside the checkout); on a machine without
it, the demo's generated ones. They are shuffled with a fixed seed, so that all shards are alike. Texts are stripped and
documents that hold a special token's text are left out: there the tools differ by definition, not by speed.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import zstandard
from reading import read_shard

ROOT = Path(__file__).resolve().parents[1]
SEED = 1124
# What the fastText model learns as __label__hq; junk (repetitions) is there so that it is left to the repetition filter.
GOOD = ("academic", "books", "junk", "math", "wiki")
BAD = ("code", "flan", "web")  # __label__cc
TINY_DOCUMENTS = 1600
GENERATED_TOKENS = 12_000_000  # about 60 MB of text
EOS_TOKEN = "<|endoftext|>"


def make(root: Path, *, shards: int, tiny: bool) -> dict[str, object]:
    """Write shards/, tokenizer.json and model.bin into `root`; what there is to know about them, JSON-able."""
    shared = Path(os.environ.get("DOLMINO_SHARED_DATA") or ROOT.parent / "shared" / "data")
    real = (shared / "MANIFEST.tsv").is_file()
    if real:
        shutil.copyfile(shared / "tokenizers" / "allenai_dolma2.json", root / "tokenizer.json")
        documents = list(_real_documents(shared))
    else:
        documents = list(_generated_documents(root, GENERATED_TOKENS // 20 if tiny else GENERATED_TOKENS))
    specials, eos_id, itemsize = _tokenizer_facts(root / "tokenizer.json")
    documents = [row for row in documents if row["text"] and not any(token in row["text"] for token in specials)]
    random.Random(SEED).shuffle(documents)
    if tiny:
        documents = documents[:TINY_DOCUMENTS]
    figures = _write_shards(root / "shards", documents, shards)
    threshold = _train(root, documents, epochs=25 if tiny else 2)
    return {"eos_id": eos_id, "itemsize": itemsize, "real": real, "threshold": threshold, **figures}


def _real_documents(shared: Path) -> Iterator[dict[str, str]]:
    for line in (shared / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        name, kind = line.split("\t")[:2]
        group = name.split("/")[0]
        if kind == "docs" and group in GOOD + BAD:
            for row in read_shard(shared / name):
                yield {"id": str(row["id"]), "text": str(row["text"]).strip(), "source": group}


def _generated_documents(root: Path, tokens: int) -> Iterator[dict[str, str]]:
    make_inputs = _load_module(ROOT / "docs" / "demo" / "make_inputs.py")
    tokenizer = make_inputs.train_tokenizer(random.Random(SEED), root)
    make_inputs.TOTAL_TOKENS = tokens
    groups = {"dclm": "web", "flan": "flan", "stackexchange": "web", "pes2o": "academic", "wiki": "wiki", "math": "math"}
    for source, group in groups.items():
        for row in make_inputs.documents(source, tokenizer):
            yield {"id": str(row["id"]), "text": str(row["text"]).strip(), "source": group}


def _load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tokenizer_facts(path: Path) -> tuple[list[str], int, int]:
    """(texts of its special tokens, id of the end-of-text token, bytes per id that its vocabulary needs)."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    specials = [token["content"] for token in json.loads(path.read_text(encoding="utf-8"))["added_tokens"]]
    return specials, tokenizer.token_to_id(EOS_TOKEN), 2 if tokenizer.get_vocab_size() <= 1 << 16 else 4


def _write_shards(folder: Path, documents: list[dict[str, str]], count: int) -> dict[str, list[int]]:
    folder.mkdir()
    figures: dict[str, list[int]] = {"text_bytes": [], "jsonl_bytes": [], "documents": []}
    for number in range(count):
        rows = documents[number::count]
        dates = {"added": "2024-11-24", "created": "2024-11-24"}
        records = ({**row, "id": f"{number}-{at}", **dates, "metadata": {"id": row["id"]}} for at, row in enumerate(rows))
        lines = [json.dumps(record, ensure_ascii=False) for record in records]
        data = ("\n".join(lines) + "\n").encode()
        (folder / f"shard-{number:04d}.jsonl.zst").write_bytes(zstandard.compress(data, 3))
        figures["text_bytes"].append(sum(len(row["text"].encode()) for row in rows))
        figures["jsonl_bytes"].append(len(data))
        figures["documents"].append(len(rows))
    return figures


def _train(root: Path, documents: list[dict[str, str]], *, epochs: int) -> float:
    """Train model.bin, DCLM-like (bigrams, 2 M buckets, labels hq and cc), on one thread: repeatable. Returns the threshold."""
    import fasttext

    lines = root / "labelled.txt"
    texts = [" ".join(row["text"].splitlines()) for row in documents]
    with lines.open("w", encoding="utf-8") as file:
        for row, text in zip(documents, texts, strict=True):
            file.write(f"__label__{'hq' if row['source'] in GOOD else 'cc'} {text}\n")
    settings = {"wordNgrams": 2, "bucket": 2_000_000, "dim": 100, "minCount": 3, "lr": 0.5, "thread": 1, "verbose": 0}
    model = fasttext.train_supervised(str(lines), epoch=epochs, **settings)
    model.save_model(str(root / "model.bin"))
    lines.unlink()
    labels, probabilities = model.predict(texts, k=-1)
    scores = sorted(float(p[list(names).index("__label__hq")]) for names, p in zip(labels, probabilities, strict=True))
    return _middle_gap(scores)


def _middle_gap(scores: list[float]) -> float:
    """The middle of the widest gap between sorted scores, among the middle tenth of them."""
    middle = scores[len(scores) * 9 // 20 : len(scores) * 11 // 20]
    gap, low = max((high - low, low) for low, high in itertools.pairwise(middle))
    if gap < 1e-4:
        raise SystemExit(f"the widest gap between the middle scores is {gap:.1e}: dolma's rounding would decide what is kept")
    return low + gap / 2
