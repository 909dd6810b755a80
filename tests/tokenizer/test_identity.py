"""Which tokenizer it is: bytes, size of the vocabulary, and the token that ends a document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.tokenizer.identity import resolve
from tests.fake_hub import hub_of
from tests.tokenizer.make import byte_level


def write(path: Path, vocabulary: dict[str, int], special: list[str], **model: object) -> str:
    added = [{"id": vocabulary.get(text, 90 + i), "content": text, "special": True} for i, text in enumerate(special)]
    path.write_text(json.dumps({"model": {"type": "BPE", "vocab": vocabulary, "merges": [], **model}, "added_tokens": added}))
    return str(path)


def test_dolma2(shared_data: Path) -> None:
    path = shared_data / "tokenizers" / "allenai_dolma2.json"
    assert resolve(str(path)).as_record() == {
        "name": "allenai_dolma2.json",
        "sha256": "3ca996cca8afea58b34e95c353e859333592642a5e51d695d7a6dbbaf692dfe9",
        "vocabulary_size": 100278,
        "eos_token": "<|endoftext|>",
        "eos_id": 100257,
    }
    assert resolve(str(path)).token_id("<|pad|>") == 100277


def test_vocabulary_size_is_the_largest_id_plus_one_with_added_tokens_and_gaps(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", {"a": 0, "b": 7}, ["</s>"])
    identity = resolve(path)
    assert (identity.vocabulary_size, identity.eos_id, identity.eos_token) == (91, 90, "</s>")
    assert identity.sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_identities_are_equal_by_content_not_by_place(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    first, second = (resolve(write(folder / "t.json", {"a": 0}, ["</s>"])) for folder in (tmp_path, tmp_path / "x"))
    assert first == second and hash(first) == hash(second)


@pytest.mark.parametrize(
    ("files", "eos_id"),
    [
        ({"tokenizer_config.json": {"eos_token": "[END]"}}, 5),
        ({"tokenizer_config.json": {"eos_token": {"content": "[END]"}}}, 5),
        ({"tokenizer_config.json": {"eos_token": None}, "special_tokens_map.json": {"eos_token": "[END]"}}, 5),
        ({"config.json": {"eos_token_id": 5}}, 5),
        ({"config.json": {"eos_token_id": [5, 6]}}, 91),  # a choice of two decides nothing; </s> is well known
        ({"config.json": {"eos_token_id": 500}}, 91),
        ({}, 91),
    ],
)
def test_eos_comes_from_the_config_files_beside_it_then_from_well_known_names(
    tmp_path: Path, files: dict[str, object], eos_id: int
) -> None:
    write(tmp_path / "tokenizer.json", {"[END]": 5, "a": 6}, ["[END]", "</s>"])
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    identity = resolve(str(tmp_path))
    assert (identity.eos_id, identity.name) == (eos_id, tmp_path.name)
    assert resolve(str(tmp_path / "tokenizer.json")).eos_id == eos_id


def test_configs_of_strangers_in_the_same_folder_are_not_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.json", {"[END]": 5}, ["[END]", "</s>"])
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 5}))
    assert resolve(path).eos_id == 91


def test_eos_can_be_said_by_text_or_id(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", {"a": 0, "7": 3}, ["<s>", "</s>"])
    assert [resolve(path, eos).eos_id for eos in ("<s>", "a", 3, "3", "</s>")] == [90, 0, 3, 3, 91]


def test_an_eos_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", {"a": 0}, ["<s>"])
    for eos in ("</s>", 91, "91", -1):
        with pytest.raises(ConfigError, match=rf"{eos!r} is no token of '.*t.json' .*; special tokens: '<s>' \(90\)"):
            resolve(path, eos)


@pytest.mark.parametrize("special", [["<EOD>", "<s>"], ["</s>", "<|endoftext|>"]])
def test_where_eos_cannot_be_told_the_choices_are_listed(tmp_path: Path, special: list[str]) -> None:
    path = write(tmp_path / "t.json", {"a": 0}, special)
    with pytest.raises(ConfigError) as raised:
        resolve(path)
    assert str(raised.value) == (
        f"tokenizer {path!r} does not say which token ends a document; say it with --eos TOKEN or --eos ID; "
        f"special tokens: {special[0]!r} (90), {special[1]!r} (91)"
    )
    assert resolve(path, eos_required=False).eos_id is None


def test_llm_jp_does_not_say_its_eos(shared_data: Path) -> None:
    path = str(shared_data / "tokenizers" / "llm-jp_ver2.2_code10K_en20K_ja30K.json")
    with pytest.raises(ConfigError, match=r"'<EOD\|LLM-jp>' \(7\)"):
        resolve(path)
    assert resolve(path, "<EOD|LLM-jp>").eos_id == 7


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("{folder}/none.json", "no tokenizer at"),
        ("{folder}/absent/deeper/still", "no tokenizer at"),
        ("{folder}", "holds no tokenizer.json"),
        ("{folder}/llm.model", "SentencePiece"),
        ("{folder}/broken.json", "not a Hugging Face tokenizer.json"),
        ("{folder}/other.json", "not a Hugging Face tokenizer.json"),
        ("{folder}/dropout.json", "dropout 0.1"),
    ],
)
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("{}")
    write(tmp_path / "dropout.json", {"a": 0}, ["</s>"], dropout=0.1)
    with pytest.raises(ConfigError, match=problem):
        resolve(name.format(folder=tmp_path))


def test_a_hub_id_that_cannot_be_had_says_to_give_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        StorageError, match=r"'nobody/nothing' is no local path and could not be had .*give the path of a tokenizer\.json"
    ):
        resolve("nobody/nothing")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A server of lab/tok, at main and (with another tokenizer) at v1, and of lab/weights; these are main's files."""
    kinds = {size: byte_level(tmp_path / f"{size}.json", size=size).read_bytes() for size in (300, 310)}
    config = b'{"eos_token": "<|pad|>"}'
    files = {
        "tokenizer.json": kinds[310],
        "tokenizer_config.json": config,
        "other/tokenizer.json": b"{",
        "model.safetensors": b"0",
    }
    models = {
        "models/lab/tok": {"main": files, "v1": {"tokenizer.json": kinds[300]}},
        "models/lab/weights": {"main": {"model.safetensors": b"0"}},
    }
    with hub_of(models, monkeypatch, tmp_path / "cache"):
        yield files


def test_a_hub_id_at_main_or_at_a_revision(
    hub: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        latest, first = resolve("lab/tok"), resolve("lab/tok@v1")
        assert (latest.name, latest.vocabulary_size, latest.eos_token) == ("lab/tok", 310, "<|pad|>")
        assert (first.name, first.vocabulary_size, first.eos_token) == ("lab/tok", 300, "<|endoftext|>")
        assert latest.sha256 == hashlib.sha256(hub["tokenizer.json"]).hexdigest() != first.sha256
        files = {path.name for path in latest.path.parent.iterdir()}
        assert files == {"tokenizer.json", "tokenizer_config.json"}  # and no weights
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # what was had once is there
    assert capsys.readouterr().err == ""  # no progress bars where no terminal is


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("lab/none", "'lab/none' is no local path and could not be had from the hub"),
        ("lab/tok@v9", "'lab/tok' at revision 'v9' is no local path and could not be had from the hub"),
        ("lab/weights", "'lab/weights' is no local path and has no tokenizer.json on the hub"),
    ],
)
def test_a_hub_id_of_no_tokenizer(hub: dict[str, bytes], name: str, problem: str) -> None:
    with pytest.raises(StorageError, match=rf"tokenizer {problem}.*; give the path of a tokenizer\.json or of a folder"):
        resolve(name)


def test_a_real_tokenizer_file_is_read(tmp_path: Path) -> None:
    identity = resolve(str(byte_level(tmp_path / "tokenizer.json", size=300)))
    assert (identity.vocabulary_size, identity.eos_id) == (300, 0)
    assert [token.content for token in identity.added_tokens] == ["<|endoftext|>", "<|pad|>"]
