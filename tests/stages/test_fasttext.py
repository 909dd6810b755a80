"""`fasttext` gives the fastText package's own probabilities, whichever way it computes them."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dolmino_cli.errors import ConfigError, MissingExtra, StorageError
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.stages import fasttext as stage_module
from dolmino_cli.stages import fasttext_folded
from dolmino_cli.stages.fasttext import FastText
from tests.fasttext_training import train_supervised
from tests.stages.conftest import WORDS, MakeBatch
from tests.stages.fasttext_files import write_model

# What the reading of a line turns on: separators of fastText, of splitlines, of strip only, of none; labels and line ends.
HARD = [
    "",
    " ",
    "\n",
    "the",
    "the of and a",
    "the of\nand a\n\nthe",
    "the\tof\vand\fa\rthe\0of",
    "the\x1cof\x1dand\x1ea\x1fthe",
    "the\x85of\u2028and\u2029a",
    "\x1f\u00a0\u3000the of\u2003\u00a0",
    "\u2028the of\u2029",
    "the </s> of and",
    "the </s>of and",
    "the </s>\nof",
    "the __label__hq of",
    "the __label__unseen of",
    "the __label_ of __label__",
    "Zürich naïve 1,000 日本語 naïve",
    "internationalisation internationalisations internationalisatioN",
    "unseen",
    "x" * 5000,
    " ".join(["the of"] * 700),
    " ".join(["the of"] * 3000),
    " ".join(["a b c d e f g h"] * 300),
    "é" * 2047 + " the",
    "a" + " " * 9000 + "a",
    "À\xa0Â\x80Ã â\u20ac\u2026",
]


def library_scores(path: Path, texts: list[str], label: str, *, rule: str, newlines: str) -> list[float | None]:
    """The same by the package, as DCLM and dolma call it."""
    fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed; install dolmino[fasttext]")
    model = fasttext.load_model(str(path))
    scores: list[float | None] = []
    for text in texts:
        line = " ".join(text.strip().splitlines()) if newlines == "dclm" else text.replace("\n", " ")
        predictions = model.f.predict(line + "\n", 1 if rule == "top1" else -1, 0.0, "strict")
        found = {name: float(value) for value, name in predictions}
        if not found:
            scores.append(None)
        elif label in found:
            scores.append(found[label])
        else:
            scores.append(1 - next(iter(found.values())))
    return scores


def random_texts(count: int) -> list[str]:
    dice = random.Random(5)
    pieces = [*WORDS, "unseen", "日本", "__label__x", "\n", "\u2028", "\x85", "\x1c", "\xa0", "\0", "  ", "é"]
    return [
        "".join(dice.choice(pieces) + dice.choice(["", " ", "\n"]) for _ in range(dice.randrange(1, 60))) for _ in range(count)
    ]


@pytest.mark.parametrize("newlines", ["dclm", "space"])
@pytest.mark.parametrize(
    ("name", "label", "rule"),
    [
        ("n1.bin", "__label__hq", "top1"),
        ("n2.bin", "__label__hq", "top1"),
        ("n2.bin", "__label__cc", "label"),
        ("n3.bin", "__label__cc", "top1"),
        ("old.bin", "__label__hq", "label"),
        ("four.bin", "__label__c", "label"),
        ("wide.bin", "__label__a", "label"),
    ],
)
def test_folded_scores_are_the_packages(
    models: Path, make_batch: MakeBatch, name: str, label: str, rule: Any, newlines: Any
) -> None:
    texts = HARD + random_texts(400)
    stage = FastText(model=str(models / name), label=label, into="q", rule=rule, newlines=newlines, engine="fold")
    scores = stage(make_batch(*texts)).to_pylist()
    expected = library_scores(models / name, texts, label, rule=rule, newlines=newlines)
    assert [score is None for score in scores] == [score is None for score in expected]
    pairs = [(a, b) for a, b in zip(scores, expected, strict=True) if a is not None and b is not None]
    assert max(abs(a - b) for a, b in pairs) <= 1e-6
    assert len({round(b, 2) for _, b in pairs}) > 20, "the scores must spread for this to say something"


@pytest.mark.parametrize(
    ("name", "label", "rule", "because"),
    [
        ("hs.bin", "__label__c", "label", "its loss is hierarchical softmax, not softmax"),
        ("ova.bin", "__label__hq", "top1", "its loss is one-vs-all, not softmax"),
        ("ns.bin", "__label__cc", "label", "its loss is negative sampling, not softmax"),
        ("subwords.bin", "__label__hq", "top1", "it uses subwords (maxn 3)"),
        ("quantised.ftz", "__label__hq", "top1", "the model is quantised or pruned"),
    ],
)
def test_other_models_are_scored_by_the_package_itself(
    models: Path, make_batch: MakeBatch, name: str, label: str, rule: Any, because: str
) -> None:
    fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed; install dolmino[fasttext]")
    if name == "quantised.ftz" and not (models / name).is_file():
        model = fasttext.load_model(str(models / "n2.bin"))
        model.quantize()
        model.save_model(str(models / name))
    texts = HARD + random_texts(100)
    stage = FastText(model=str(models / name), label=label, into="q", rule=rule)
    identity = stage.prepare()
    assert (identity["engine"], identity["because"], stage.tolerance) == ("library", because, 0.0)
    scores = stage(make_batch(*texts)).to_pylist()
    expected = library_scores(models / name, texts, label, rule=rule, newlines="dclm")
    if name == "hs.bin":  # which leaves labels out whose probability is below 1e-5
        expected = [
            score if score is None or score < 0.99999 or got else 0.0 for score, got in zip(expected, scores, strict=True)
        ]
    assert scores == expected
    with pytest.raises(ConfigError, match="cannot be folded"):
        FastText(model=str(models / name), label=label, into="q", rule=rule, engine="fold").prepare()


def test_the_package_asked_for_gives_exactly_its_scores(models: Path, make_batch: MakeBatch) -> None:
    stage = FastText(model=str(models / "n2.bin"), label="__label__cc", into="q", engine="library")
    texts = HARD + random_texts(100)
    expected = library_scores(models / "n2.bin", texts, "__label__cc", rule="top1", newlines="dclm")
    assert stage(make_batch(*texts)).to_pylist() == expected
    assert stage.prepare()["because"] == "the recipe says so"


def test_top1_is_2e5_below_the_label_rule_where_the_other_label_wins(models: Path, make_batch: MakeBatch) -> None:
    batch = make_batch(*random_texts(300))
    by_rule = {
        rule: FastText(model=str(models / "n2.bin"), label="__label__hq", into="q", rule=rule)(batch).to_numpy()
        for rule in ("top1", "label")
    }
    gap = by_rule["label"] - by_rule["top1"]
    wins = by_rule["label"] > 0.5
    assert wins.any() and not wins.all()
    assert (gap[wins] == 0).all()
    assert np.abs(gap[~wins] - 2e-5).max() < 3e-7


def test_newline_modes_differ_where_only_splitlines_splits(models: Path, make_batch: MakeBatch) -> None:
    batch = make_batch("the\u2028of", "the\nof", "\xa0the of")
    dclm, space = (
        FastText(model=str(models / "n2.bin"), label="__label__hq", into="q", newlines=newlines)(batch).to_numpy()
        for newlines in ("dclm", "space")
    )
    assert [a == b for a, b in zip(dclm, space, strict=True)] == [False, True, False]
    assert dclm[0] == dclm[1] == dclm[2]


def test_a_word_is_known_by_its_bytes_and_not_by_its_hash(tmp_path: Path, make_batch: MakeBatch) -> None:
    def fnv(word: str) -> int:
        value = 2166136261
        for byte in word.encode():
            value = (value ^ byte) * 16777619 % 2**32
        return value

    known, same_hash = "costarring", "liquid"
    assert fnv(known) == fnv(same_hash)
    write_model(tmp_path / "m.bin", ["</s>", known], ["__label__hq", "__label__cc"], word_ngrams=1)
    stage = FastText(model=str(tmp_path / "m.bin"), label="__label__hq", into="q")
    of_known, of_same_hash, of_nothing = stage(make_batch(known, same_hash, "")).to_pylist()
    assert of_same_hash == of_nothing != of_known


def test_a_text_without_any_row_scores_null(models: Path, make_batch: MakeBatch) -> None:
    stage = FastText(model=str(models / "n1.bin"), label="__label__hq", into="q")
    assert [score is None for score in stage(make_batch("", "unseen", "the")).to_pylist()] == [True, True, False]


def test_scores_depend_on_neither_batch_nor_order(models: Path, make_batch: MakeBatch) -> None:
    stage = FastText(model=str(models / "n3.bin"), label="__label__hq", into="q")
    texts = HARD + random_texts(50)
    together = stage(make_batch(*texts)).to_pylist()
    assert together == [stage(make_batch(text))[0].as_py() for text in texts]
    assert together == stage(make_batch(*reversed(texts))).to_pylist()[::-1]
    # A batch that is a slice of a longer column.
    batch = make_batch(*texts)
    rest = batch.where(np.arange(len(texts)) >= 7)
    assert stage(rest).to_pylist() == together[7:]
    assert stage(make_batch()) == pa.array([], pa.float64())


def test_long_documents_follow_fasttexts_own_rounding(models: Path, make_batch: MakeBatch) -> None:
    dice = random.Random(9)
    text = " ".join(dice.choices(["the", "of", "and", "a", *(f"u{i}" for i in range(3000))], k=200_000))
    expected = library_scores(models / "n2.bin", [text], "__label__hq", rule="label", newlines="dclm")[0]
    assert expected is not None and 0.1 < expected < 0.9, "a saturated score would show nothing"
    exact, following = (
        FastText(model=str(models / "n2.bin"), label="__label__hq", into="q", rule="label", long_documents=way)
        for way in ("folded", "as_fasttext")
    )
    assert abs(following(make_batch(text))[0].as_py() - expected) <= 2e-7
    assert 2e-7 < abs(exact(make_batch(text))[0].as_py() - expected) <= exact.tolerance
    assert (following.tolerance, exact.tolerance) == (2e-6, 1e-4)


def test_separators_and_tokens_across_the_chunks_of_a_text(models: Path, make_batch: MakeBatch) -> None:
    """Chunks are about 4,096 bytes: what stands there is read as anywhere else."""
    across = ["\u2028", "\x85", "\x1c", " ", "é\u2029é", "日本\u2028", "x" * 5000, "\u00a8"]
    starts = [("the of " * 600)[:before] for before in range(4084, 4100)]
    texts = [f"{start}{between}and a" for start in starts for between in across]
    stage = FastText(model=str(models / "n2.bin"), label="__label__hq", into="q", rule="label", engine="fold")
    expected = library_scores(models / "n2.bin", texts, "__label__hq", rule="label", newlines="dclm")
    assert np.abs(stage(make_batch(*texts)).to_numpy() - np.array(expected)).max() <= stage.tolerance


def test_what_was_loaded_is_recorded(models: Path) -> None:
    import hashlib

    identity = FastText(model=str(models / "n2.bin"), label="__label__hq", into="q").prepare()
    assert identity == {"model_sha256": hashlib.sha256((models / "n2.bin").read_bytes()).hexdigest(), "engine": "folded"}


def test_a_changed_model_is_read_again(tmp_path: Path, make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = FastText(model=str(tmp_path / "m.bin"), label="__label__hq", into="q")
    found = []
    for seed in (1, 2):
        write_model(tmp_path / "m.bin", WORDS, ["__label__hq", "__label__cc"], seed=seed)
        stage_module._load.cache_clear()  # a new process
        found.append((stage.prepare()["model_sha256"], stage(make_batch("the of"))[0].as_py()))
    assert found[0][0] != found[1][0] and found[0][1] != found[1][1]


def test_wrong_requests_are_refused(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"n2\.bin has no label '__label__HQ'; it has: __label__hq, __label__cc"):
        FastText(model=str(models / "n2.bin"), label="__label__HQ", into="q").prepare()
    with pytest.raises(ConfigError, match=r"rule top1 is for two labels and .*four\.bin has 4; write rule: label"):
        FastText(model=str(models / "four.bin"), label="__label__a", into="q").prepare()
    with pytest.raises(ConfigError, match="a fastText model of word vectors"):
        FastText(model=str(models / "vectors.bin"), label="__label__a", into="q").prepare()
    with pytest.raises(StorageError, match=r"absent\.bin"):
        FastText(model=str(tmp_path / "absent.bin"), label="__label__a", into="q").prepare()


def test_broken_files_are_refused(models: Path, tmp_path: Path) -> None:
    whole = (models / "n2.bin").read_bytes()
    for name, content in {"short": whole[:-5], "longer": whole + b"\0", "header": whole[:20], "words": whole[:100]}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match="not a whole fastText model"):
            FastText(model=str(tmp_path / name), label="__label__hq", into="q").prepare()
    (tmp_path / "other").write_bytes(struct.pack("<2i", 793712314, 13) + whole[8:])
    with pytest.raises(ConfigError, match="not a fastText model of version 11 or 12"):
        FastText(model=str(tmp_path / "other"), label="__label__hq", into="q").prepare()


def test_a_missing_package_is_named_with_its_extra(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fasttext", None)
    stage_module._library.cache_clear()
    with pytest.raises(MissingExtra, match=r"pip install 'dolmino\[fasttext\]'"):
        FastText(model=str(models / "ova.bin"), label="__label__hq", into="q").prepare()


def test_a_cache_that_cannot_be_written_is_one_clear_error(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DOLMINO_CACHE", str(tmp_path / "file"))
    stage_module._load.cache_clear()
    with pytest.raises(StorageError, match="set DOLMINO_CACHE"):
        FastText(model=str(models / "n2.bin"), label="__label__hq", into="q").prepare()
    stage_module._load.cache_clear()


def test_real_documents_score_as_the_package_scores_them(shared_data: Path, tmp_path: Path) -> None:
    """A model trained on encyclopaedia against messages and web pages, over every document file there is."""
    lines = []
    for label, names in {
        "hq": ["wiki/enwiki-2021-0000.jsonl.zst"],
        "cc": ["web/sms_spam-0000.jsonl.zst", "web/c4-0000.jsonl.gz"],
    }.items():
        for name in names:
            for batch, _ in read_batches(str(shared_data / name)):
                lines += [f"__label__{label} " + " ".join(text.strip().splitlines()) for text in batch.text.to_pylist()]
    (tmp_path / "train.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    train_supervised(tmp_path / "train.txt", tmp_path / "m.bin", wordNgrams=2, bucket=200_000, dim=32, epoch=3, minCount=2)
    settings = {"model": str(tmp_path / "m.bin"), "label": "__label__hq", "into": "q"}
    package, folded = FastText(**settings, engine="library"), FastText(**settings, long_documents="folded")
    following = FastText(**settings)
    off: dict[str, list[np.ndarray]] = {"folded, up to 25 KB": [], "folded, all": [], "as fastText": []}
    flips = 0
    for line in (shared_data / "MANIFEST.tsv").read_text().splitlines():
        name, kind = line.split("\t")[:2]
        if kind != "docs":
            continue
        for batch, _ in read_batches(str(shared_data / name)):
            theirs, ours, followed = (stage(batch).to_numpy() for stage in (package, folded, following))
            short = pc.binary_length(batch.text).to_numpy() <= 25_000
            off["folded, up to 25 KB"].append(np.abs(ours - theirs)[short])
            off["folded, all"].append(np.abs(ours - theirs))
            off["as fastText"].append(np.abs(followed - theirs))
            flips += int(((ours > 0.5) != (theirs > 0.5)).sum() + ((followed > 0.5) != (theirs > 0.5)).sum())
    largest = {way: float(np.concatenate(parts).max()) for way, parts in off.items()}
    print(f"{len(np.concatenate(off['as fastText']))} documents, largest difference: {largest}")
    assert len(np.concatenate(off["as fastText"])) > 80_000
    assert largest["as fastText"] <= following.tolerance == 2e-6
    assert largest["folded, up to 25 KB"] <= 2e-6
    assert largest["folded, all"] <= folded.tolerance
    assert flips == 0


def test_folding_in_two_processes_at_once_leaves_one_whole_folder(models: Path, tmp_path: Path) -> None:
    from dolmino_cli.shards.model_cache import make_once
    from dolmino_cli.stages.fasttext_model import read_model

    model, folder = read_model(models / "n2.bin"), tmp_path / "folded"

    def slowly(scratch: Path) -> None:
        fasttext_folded.write_folded(model, scratch)
        if not folder.exists():  # another process finishes meanwhile
            make_once(folder, lambda other: fasttext_folded.write_folded(model, other))

    make_once(folder, slowly)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folded"]
    assert fasttext_folded.load_folded(folder, models / "n2.bin").labels == ("__label__hq", "__label__cc")
