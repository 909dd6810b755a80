"""`classifier` gives a plain forward pass's own scores, whatever the order, the batch and the length of the texts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.compute as pc
import pytest

from dolmino_cli.documents import BATCH_BYTES
from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.stages.classifier import Classifier
from dolmino_cli.stages.classifier_model import _compiled
from dolmino_cli.stages.classifier_tokens import ClassifierTokenizer
from tests.stages.classifier_model import LESSON, plain_forward, texts, train
from tests.stages.conftest import MakeBatch

torch = pytest.importorskip("torch", reason="needs the extra [classifier]")
pytest.importorskip("transformers", reason="needs the extra [classifier]")

MAX_TOKENS = 64
# What truncation, the special tokens and the reading of a head turn on.
HARD = [
    "",
    " ",
    "\n\n",
    "cell",
    "[SEP] [CLS] [PAD] [MASK]",
    "東京" * 800,
    "x" * 5000,
    " ".join(LESSON * 60),
    "cell " + " " * 3000 + "theory",
    "cell" + "\u2003" * 3000 + "theory",
    "\x00\u200b\ufffd" * 400 + " theory",
    "e\u0301" * 900,
    "a \u0301" * 400,
    ("x" * 383 + " ") * 3,
]


@pytest.fixture
def folder(edu_model: Path) -> Path:
    return edu_model


@pytest.fixture(scope="module")
def written() -> list[str]:
    return [*texts(60, seed=2, most_words=120)[0], *HARD]


@pytest.fixture(scope="module")
def expected(edu_model: Path, written: list[str]) -> np.ndarray:
    logits: np.ndarray = plain_forward(edu_model, written)[:, 0]
    return logits


@pytest.fixture
def stage(folder: Path) -> Classifier:
    return Classifier(model=str(folder), into="edu", max_tokens=MAX_TOKENS, dtype="float32", device="cpu")


def test_float32_scores_are_the_plain_forward_pass(
    stage: Classifier, written: list[str], expected: np.ndarray, make_batch: MakeBatch
) -> None:
    assert np.abs(stage(make_batch(*written)).to_numpy() - expected).max() < 1e-5
    assert np.ptp(expected) > 1, "the model must tell the texts apart, or this test says nothing"


@pytest.mark.parametrize("batch_tokens", [1, 100, 100_000])
def test_order_and_batch_size_do_not_matter(
    stage: Classifier, written: list[str], expected: np.ndarray, make_batch: MakeBatch, batch_tokens: int
) -> None:
    order = np.random.default_rng(3).permutation(len(written))
    scores = replace(stage, batch_tokens=batch_tokens)(make_batch(*(written[place] for place in order)))
    assert np.abs(scores.to_numpy() - expected[order]).max() < 1e-5


def test_one_document_alone_and_none(stage: Classifier, written: list[str], expected: np.ndarray, make_batch: MakeBatch) -> None:
    assert abs(stage(make_batch(written[0])).to_numpy()[0] - expected[0]) < 1e-5
    assert stage(make_batch()).to_pylist() == []


def test_many_documents_keep_their_places(stage: Classifier, make_batch: MakeBatch) -> None:
    """More than one window of the tokenizer's."""
    some, _ = texts(5, seed=7, most_words=12)
    scores = stage(make_batch(*some * 500)).to_numpy().reshape(500, 5)
    assert np.abs(scores - scores[0]).max() < 1e-5
    assert len(np.unique(scores[0].round(4))) == 5


def test_long_texts_are_read_no_further_than_needed(
    stage: Classifier, make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6 characters a token are enough of the first, 24 of the second; what follows is never tokenized."""
    loaded, _ = stage._load()
    tokenized: list[int] = []
    real = loaded.tokenizer._tokenizer

    class Counting:
        def encode_batch_fast(self, some: list[str]) -> object:
            tokenized.extend(map(len, some))
            return real.encode_batch_fast(some)

    monkeypatch.setattr(loaded.tokenizer, "_tokenizer", Counting())
    stage(make_batch("to be it " * 10_000, " ".join(LESSON * 1000), "cell"))
    assert [-(-characters // 64) for characters in tokenized] == [6, 6, 1, 24]


def test_ids_of_real_documents_are_those_of_the_whole_text(edu_model: Path, shared_data: Path) -> None:
    """Declarations of human rights in 154 languages, Chinese pages, repetitions: heads end where words do."""
    from transformers import AutoTokenizer

    max_tokens, characters = 16, 1000  # a head is 96 characters, or 384
    ours = ClassifierTokenizer(edu_model, max_tokens=max_tokens, threads=1)
    plain = AutoTokenizer.from_pretrained(edu_model)
    for name in ("multilingual/udhr-0000", "multilingual/zhwiki-0000", "junk/repeats-0000"):
        for batch, _ in read_batches(str(shared_data / f"{name}.jsonl.zst")):
            text = pc.utf8_slice_codeunits(batch.text, 0, characters)
            expected = plain(text.to_pylist(), truncation=True, max_length=max_tokens)["input_ids"]
            windows = list(ours.windows(text))
            assert [ids.tolist() for window in windows for ids in np.split(window.ids, window.offsets[1:-1])] == expected


@pytest.mark.parametrize(("dtype", "off"), [("bfloat16", 0.05), ("float16", 0.01)])
def test_narrow_dtypes_are_near_and_know_their_reference(
    stage: Classifier, folder: Path, written: list[str], expected: np.ndarray, make_batch: MakeBatch, dtype: str, off: float
) -> None:
    narrow = replace(stage, dtype=dtype)
    batch = make_batch(*written)
    difference = np.abs(narrow(batch).to_numpy() - expected)
    assert 0 < difference.max() < off
    reference = narrow.reference(batch)
    assert reference is not None and np.abs(reference.to_numpy() - expected).max() < 1e-5
    assert stage.reference(batch) is None
    assert narrow.prepare()["dtype"] == dtype


def test_int_score_rounds_half_to_even(stage: Classifier, make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """FineWeb-Edu's column: int(round(max(0, min(score, 5)))) with Python's round; what is not finite has no score."""
    logits = [-3.0, -0.5, 0.5, 1.5, 2.4999, 2.5, 2.5001, 3.5, 4.5, 5.5, 7.0, float("nan"), float("inf")]
    loaded, _ = stage._load()
    monkeypatch.setattr(loaded, "logits", lambda text: np.array(logits, np.float32)[:, None])
    batch = make_batch(*["text"] * len(logits))
    ints = replace(stage, output="int_score")
    assert ints(batch).to_pylist() == [0, 0, 0, 2, 2, 2, 3, 4, 4, 5, 5, None, None]
    assert ints(batch).to_pylist()[:11] == [round(max(0, min(score, 5))) for score in logits[:11]]
    assert ints.tolerance == 0 and stage.tolerance == 1e-4
    assert stage(batch).to_pylist()[:2] == [-3.0, -0.5] and stage(batch).null_count == 2


def test_a_label_of_several(tmp_path: Path, written: list[str], make_batch: MakeBatch) -> None:
    folder = train(tmp_path / "three", labels=3, steps=3)
    logits = plain_forward(folder, written).astype(np.float64)
    stage = Classifier(model=str(folder), into="topic", label="LABEL_1", max_tokens=MAX_TOKENS, dtype="float32", device="cpu")
    batch = make_batch(*written)
    assert np.abs(stage(batch).to_numpy() - logits[:, 1]).max() < 1e-5
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.abs(replace(stage, output="probability")(batch).to_numpy() - shares[:, 1]).max() < 1e-6
    with pytest.raises(ConfigError, match=r"no label is given for .*three; it has: LABEL_0, LABEL_1, LABEL_2"):
        replace(stage, label=None).prepare()
    with pytest.raises(ConfigError, match=r"label 'hq' is given for .*; it has: LABEL_0, LABEL_1, LABEL_2"):
        replace(stage, label="hq").prepare()
    edit(folder / "config.json", problem_type="multi_label_classification")
    each = replace(stage, output="probability", batch_tokens=7)  # another key of the cache: the folder has changed
    assert np.abs(each(batch).to_numpy() - 1 / (1 + np.exp(-logits[:, 1]))).max() < 1e-6


def test_a_compiler_that_fails_is_told_where_it_was_asked_for(stage: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_nothing(model: object, *, dynamic: bool) -> Callable[..., object]:
        def fail(**_: object) -> object:
            raise RuntimeError("no C compiler\nat all")

        return fail

    monkeypatch.setattr(torch, "compile", compile_nothing)
    with pytest.raises(ConfigError, match=r"cannot be compiled here \(no C compiler\); write compile: auto or no$"):
        replace(stage, compile="yes").prepare()
    model = SimpleNamespace(device="cpu")
    assert _compiled(model, must=False) is model, "with `auto` it runs as it is"


def test_what_was_loaded_is_named(stage: Classifier, folder: Path) -> None:
    loaded = stage.prepare()
    assert list(loaded) == ["model_sha256", "tokenizer_sha256", "dtype", "device", "library"]
    assert (loaded["dtype"], loaded["device"]) == ("float32", "cpu")
    assert f"torch {torch.__version__}" in loaded["library"]
    assert stage.batch_bytes == BATCH_BYTES


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def only_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_head(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file({name: value for name, value in weights.items() if "classifier" not in name}, folder / "model.safetensors")


def cut(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "pickle": (only_a_pickle, r"has no model\.safetensors \(it holds pytorch_model\.bin, a pickle.*convert"),
    "no weights": (without("model.safetensors"), r"has no model\.safetensors \(it holds no weights at all\)"),
    "no config": (without("config.json"), r"holds no config\.json; give a folder written by save_pretrained"),
    "not JSON": (lambda folder: (folder / "config.json").write_text("{"), r"config\.json is not readable JSON"),
    "no tokenizer": (without("tokenizer.json"), r"holds no tokenizer\.json; write one beside the model"),
    "no head": (without_head, r"lack 2 of the model's parameters: classifier\.bias, classifier\.weight; give a model that was"),
    "cut": (cut, r"cannot be loaded \("),
    "other task": (
        lambda folder: edit(folder / "config.json", architectures=["BertForMaskedLM"]),
        r"is no sequence classifier: its config\.json names BertForMaskedLM under architectures",
    ),
    "own code": (
        lambda folder: edit(folder / "config.json", model_type="mine", auto_map={"AutoConfig": "mine.Config"}),
        r"cannot be loaded \(",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_cannot_be_used(stage: Classifier, folder: Path, tmp_path: Path, fault: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    spoil, said = FAULTS[fault]
    spoil(broken)
    with pytest.raises(ConfigError, match=said) as refused:
        replace(stage, model=str(broken)).prepare()
    assert "\n" not in str(refused.value)


def test_what_a_recipe_may_not_ask(stage: Classifier, folder: Path) -> None:
    for changes, said in [
        ({"max_tokens": 2}, "max_tokens is 2; it must be 3 or more"),
        ({"batch_tokens": 0}, "batch_tokens is 0; it must be 1 or more"),
        ({"max_tokens": 65}, "max_tokens 65 is more than the 64 of"),
        ({"output": "probability"}, "output probability, and .* has one output, a score; write output: logit"),
        ({"label": "LABEL_0"}, "label 'LABEL_0' is given for .*; it has one output and takes no label"),
        ({"revision": "main"}, "revision 'main' is for hub ids, and .* is a folder"),
        ({"model": str(folder / "absent")}, "no model at .*; give a folder written by save_pretrained, or a hub id owner/name"),
    ]:
        with pytest.raises(ConfigError, match=said):
            replace(stage, **changes).prepare()
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="PyTorch sees no GPU here; write device: auto or cpu"):
            replace(stage, device="cuda").prepare()


def test_a_hub_id_is_downloaded_without_pickles_or_code(
    stage: Classifier,
    folder: Path,
    expected: np.ndarray,
    written: list[str],
    make_batch: MakeBatch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def snapshot(repository: str, **how: object) -> str:
        asked.append((repository, how))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    from_hub = replace(stage, model="lab/edu", revision="v1")
    assert np.abs(from_hub(make_batch(*written)).to_numpy() - expected).max() < 1e-5
    ((repository, how),) = asked
    assert (repository, how["revision"], how["ignore_patterns"]) == ("lab/edu", "v1", ["*/*"])
    assert how["allow_patterns"] == ["*.json", "*.txt", "*.model", "*.safetensors"]


def test_a_hub_that_does_not_answer(stage: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(repository: str, **_: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(StorageError, match=r"'lab/other' is no local folder and could not be had .*\(no route to host\)"):
        replace(stage, model="lab/other").prepare()
