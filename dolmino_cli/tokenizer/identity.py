"""Which tokenizer: a hub id, a folder or a `tokenizer.json` becomes bytes, sha256, vocabulary size and end-of-document id."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from dolmino_cli import hub
from dolmino_cli.errors import ConfigError, StorageError

WELL_KNOWN_EOS = ("<|endoftext|>", "</s>", "<eos>")
CONFIG_FILES = ("tokenizer_config.json", "special_tokens_map.json", "config.json")
_FILE = "tokenizer.json"
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?\Z")


class AddedToken(msgspec.Struct, frozen=True):
    """An entry of `added_tokens` in a tokenizer.json: text that becomes this one id before any splitting."""

    id: int
    content: str
    special: bool = False
    normalized: bool = False
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False


@dataclass(frozen=True, kw_only=True)
class TokenizerIdentity:
    """A tokenizer as it stands in `arrays.json`: equal when name, bytes and end-of-document id are equal.

    `vocabulary_size` is the largest id + 1, added tokens included. `eos_id` and `eos_token` are None where none was
    asked for and none could be told. `path` is the local tokenizer.json.
    """

    name: str
    sha256: str
    vocabulary_size: int
    eos_token: str | None
    eos_id: int | None
    path: Path = field(compare=False)
    json_bytes: bytes = field(compare=False, repr=False)
    added_tokens: tuple[AddedToken, ...] = field(compare=False, repr=False)

    def vocabulary(self) -> dict[str, int]:
        """Every token's text, as the file writes it, and its id."""
        return _read(self.json_bytes, self.path)[0]

    def token_id(self, token: str | int) -> int:
        """The id of a token given as its text, or as its id in figures. Raises ConfigError when there is none."""
        return _token_id(token, self.vocabulary(), self.added_tokens, self.name)

    def as_record(self) -> dict[str, str | int | None]:
        """What is written beside token arrays."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "vocabulary_size": self.vocabulary_size,
            "eos_token": self.eos_token,
            "eos_id": self.eos_id,
        }


def resolve(name_or_path: str, eos: str | int | None = None, *, eos_required: bool = True) -> TokenizerIdentity:
    """The identity of a tokenizer given as a path to tokenizer.json, a folder holding one, or a hub id.

    A hub id is `org/name`, or `org/name@revision` for a branch, tag or commit.

    The end-of-document token is `eos` (a token's text, or its id as a number), else what the config files beside
    tokenizer.json say, else the one of `WELL_KNOWN_EOS` among the added tokens. Raises ConfigError when it can't be told
    and `eos_required`, or when the file is no tokenizer.json; StorageError when a hub id can't be had.
    """
    path, name = _locate(name_or_path)
    try:
        json_bytes = path.read_bytes()
    except OSError as error:
        raise StorageError(f"tokenizer {name_or_path!r}: cannot read {path}: {error.strerror or error}") from None
    vocabulary, added = _read(json_bytes, path)
    # A file of another name (allenai_dolma2.json) shares its folder with strangers; tokenizer.json with its own configs.
    configs = [path.parent / name for name in CONFIG_FILES] if path.name == "tokenizer.json" else []
    eos_id = _find_eos(eos, vocabulary, added, configs, name_or_path)
    if eos_id is None and eos_required:
        raise ConfigError(
            f"tokenizer {name_or_path!r} does not say which token ends a document; say it with "
            f"--eos TOKEN or --eos ID; special tokens: {_listed(added)}"
        )
    return TokenizerIdentity(
        name=name,
        sha256=hashlib.sha256(json_bytes).hexdigest(),
        vocabulary_size=max(vocabulary.values()) + 1,
        eos_token=_text_of(eos_id, vocabulary, added),
        eos_id=eos_id,
        path=path,
        json_bytes=json_bytes,
        added_tokens=tuple(added),
    )


def _locate(name_or_path: str) -> tuple[Path, str]:
    """The local tokenizer.json and the name to record: a hub id without its revision, or the last part of a path.

    Never a machine's folders; and one name for one tokenizer, whose bytes are told by their sha256.
    """
    if name_or_path.endswith(".model"):
        raise ConfigError(
            f"tokenizer {name_or_path!r} is a SentencePiece model; a Hugging Face tokenizer.json is needed: convert it with "
            "transformers (AutoTokenizer.from_pretrained(...).save_pretrained(folder)) and give that folder"
        )
    if "://" in name_or_path:
        from dolmino_cli.shards import storage

        return storage.fetch(name_or_path), name_or_path.rsplit("/", 1)[-1]
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        if not (path / "tokenizer.json").is_file():
            raise ConfigError(f"tokenizer folder {name_or_path!r} holds no tokenizer.json; give a folder or file that does")
        return path / "tokenizer.json", path.resolve().name
    if path.is_file():
        return path, path.name
    if path.suffix == ".json" or not _HUB_ID.match(name_or_path):
        raise ConfigError(
            f"no tokenizer at {name_or_path!r}; give a tokenizer.json, a folder holding one, or a hub id "
            "org/name or org/name@revision"
        )
    hub_id, revision = hub.parted(name_or_path)
    return _download(hub_id, revision), hub_id


def _download(hub_id: str, revision: str | None) -> Path:
    asked = f"tokenizer {hub_id!r}{f' at revision {revision!r}' if revision else ''} is no local path and"
    instead = "give the path of a tokenizer.json or of a folder holding one"
    path = hub.top_of(hub_id, revision, [_FILE, *CONFIG_FILES], asked=asked, instead=instead) / _FILE
    if not path.is_file():
        raise StorageError(f"{asked} has no {_FILE} on the hub; {instead}")
    return path


class _Model(msgspec.Struct):
    vocab: dict[str, int] | list[tuple[str, float]]
    dropout: float | None = None


class _File(msgspec.Struct):
    model: _Model
    added_tokens: list[AddedToken] = []


@functools.lru_cache(maxsize=1)  # 40 ms for 100,000 entries, and an engine is loaded from what was just resolved
def _read(json_bytes: bytes, path: Path) -> tuple[dict[str, int], list[AddedToken]]:
    """Every token's text and id, added tokens included, and the added tokens."""
    try:
        file = msgspec.json.decode(json_bytes, type=_File)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path} is not a Hugging Face tokenizer.json: {error}") from None
    listed = file.model.vocab
    vocabulary = listed if isinstance(listed, dict) else {text: place for place, (text, _) in enumerate(listed)}
    vocabulary.update((token.content, token.id) for token in file.added_tokens)
    if file.model.dropout:
        raise ConfigError(f"{path}: BPE dropout {file.model.dropout} gives random ids; set model.dropout to null")
    if not vocabulary:
        raise ConfigError(f"{path}: the tokenizer's vocabulary is empty")
    return vocabulary, file.added_tokens


def _find_eos(
    eos: str | int | None, vocabulary: dict[str, int], added: Sequence[AddedToken], configs: list[Path], name: str
) -> int | None:
    if eos is not None:
        return _token_id(eos, vocabulary, added, name)
    for path in configs:
        found = _eos_of_config(path, vocabulary)
        if found is not None:
            return found
    known = [token.id for token in added if token.content in WELL_KNOWN_EOS]
    return known[0] if len(known) == 1 else None


def _token_id(token: str | int, vocabulary: dict[str, int], added: Sequence[AddedToken], name: str) -> int:
    token_id = int(token) if isinstance(token, int) or token.isdecimal() else vocabulary.get(token)
    largest = max(vocabulary.values())
    if token_id is None or not 0 <= token_id <= largest:
        raise ConfigError(f"{token!r} is no token of {name!r} (ids 0 to {largest}); special tokens: {_listed(added)}")
    return token_id


def _text_of(token_id: int | None, vocabulary: dict[str, int], added: Sequence[AddedToken]) -> str | None:
    in_added = (token.content for token in added if token.id == token_id)
    return next(in_added, None) or next((text for text, one in vocabulary.items() if one == token_id), None)


def _listed(added: Sequence[AddedToken]) -> str:
    return ", ".join([f"{token.content!r} ({token.id})" for token in added if token.special][:40]) or "none"


def _eos_of_config(path: Path, vocabulary: dict[str, int]) -> int | None:
    """The id that one config file names, None when it is absent or names none that exists."""
    if not path.is_file():
        return None
    try:
        config: Any = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path} is not JSON: {error}; mend or remove it, or say --eos") from None
    if not isinstance(config, dict):
        return None
    token = config.get("eos_token")
    if isinstance(token, dict):
        token = token.get("content")
    if isinstance(token, str) and token in vocabulary:
        return vocabulary[token]
    token_id = config.get("eos_token_id")
    return token_id if type(token_id) is int and 0 <= token_id <= max(vocabulary.values()) else None
