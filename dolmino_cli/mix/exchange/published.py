"""Which source a token file is of: the folders of the published Dolmino mixes by name, any other by its own folders.

The folders are those of the lists that OLMo 2 was mid-trained on (allenai/OLMo, configs/official-1124 and official-0425;
allenai/OLMo-core, src/scripts/train/OLMo2/anneal) and of allenai/OLMo's configs/microannealing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dolmino_cli.errors import ConfigError

# The longest that a path holds decides; each begins and ends at a slash.
FOLDERS: dict[str, str] = {
    "dclm/v0_rep32_ft7percentile_fw2": "dclm",
    "tulu_flan": "flan",
    "stackexchange/v1_dedupe": "stackexchange",
    "pes2o": "pes2o",
    "olmo-mix/danyh-compiled-v1_7/documents/wiki": "wiki",
    "personahub_math_v5_regen_149960": "math/tulumath",
    "tulu-3-sft-personas-math-grade": "math/tulumath",
    "tulu_v3.9_personahub_math_interm_algebra_20k": "math/tulumath",
    "basic_math_mj": "math/dolmino-synthmath",
    "gsm8k-synth": "math/dolmino-synthmath",
    "gsm_MIND": "math/dolmino-synthmath",
    "tinyGSM/mind": "math/tinygsm-mind/problem-solving",
    "tinyGSM/mind-2students": "math/tinygsm-mind/two-students",
    "mathcoder2-synthmath": "math/mathcoder2-synth",
    "owm-filtered-math/metamath": "math/metamath",
    "gsm8k": "math/gsm8k",
    "personahub_math_v2_79975": "math/tulumath",
    "tinyGSM/inline_comments": "math/tinygsm",
    "owm-filtered-math/codesearchnet": "math/codesearchnet-owm",
}

# What configurations call a tokenizer, and its name on the Hugging Face Hub.
TOKENIZERS = {
    "tokenizers/allenai_dolma2.json": "allenai/dolma2-tokenizer",
    "dolma2-tokenizer": "allenai/dolma2-tokenizer",
    "allenai/dolma2-tokenizer": "allenai/dolma2-tokenizer",
}
_SAYS_NOTHING = re.compile(
    r"preprocessed|documents|allenai|train|data|[0-9.*{}-]+|v[0-9][\w.-]*|\*.*|\{TOKENIZER\}|part-.*|.*tokenizer.*"
)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def key_of(path: str) -> str:
    """A path without its scheme and host or bucket: what the same file is called wherever it was copied to."""
    scheme, separator, rest = path.partition("://")
    return rest.partition("/")[2] if separator else scheme.lstrip("/")


def parse_names(given: Sequence[str]) -> dict[str, str]:
    """`PREFIX=NAME` options as prefix -> source. Raises ConfigError."""
    named: dict[str, str] = {}
    for text in given:
        prefix, separator, name = text.rpartition("=")
        if not separator or not prefix or not name:
            raise ConfigError(f"--source {text!r}; give it as PREFIX=NAME: the beginning of paths, and their source's name")
        if prefix in named:
            raise ConfigError(f"--source gives {prefix!r} two names, {named[prefix]!r} and {name!r}; keep one")
        named[prefix] = name
    return named


def source_of(path: str, *, named: Mapping[str, str], label: str | None = None) -> str:
    """The source of a file: what `named` (prefix -> source, longest first) says, else its label, else its folders."""
    key = key_of(path)
    given = [prefix for prefix in named if path.startswith(prefix) or key.startswith(prefix)]
    if given:
        return named[max(given, key=len)]
    if label is not None:
        return as_name(label)
    folders = f"/{key.rpartition('/')[0]}/"
    known = [folder for folder in FOLDERS if f"/{folder}/" in folders]
    if known:
        return FOLDERS[max(known, key=len)]
    telling = [folder for folder in folders.strip("/").split("/") if folder and not _SAYS_NOTHING.fullmatch(folder)]
    return as_name(telling[-1] if telling else "unnamed")


def tokenizer_of(path: str) -> str | None:
    """The tokenizer that a folder of the path is called after, where it is a known one."""
    return next((TOKENIZERS[folder] for folder in key_of(path).split("/") if folder in TOKENIZERS), None)


def as_name(text: str) -> str:
    """`text` as a source's name: what a manifest does not allow in one becomes `-`."""
    parts = [_NOT_IN_NAMES.sub("-", part).lstrip("._-") for part in text.split("/")]
    return "/".join(part for part in parts if part) or "unnamed"
