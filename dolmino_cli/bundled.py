"""Bundled name -> file: `filters/<name>.yaml`, `filters/rewrites/<name>.yaml`, `mixes/<name>.yaml` and
`train/presets/<name>.yaml` ship in the package.

A name with `/` or ending in .yaml/.yml/.json is that exact file; a bare name is a bundled one. Nothing is guessed from
the working directory.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from dolmino_cli.errors import ConfigError

Kind = Literal["filters", "filters/rewrites", "mixes", "train/presets"]
_WORDS = {"filters": "recipe", "filters/rewrites": "template", "mixes": "mix", "train/presets": "run"}

_PACKAGE = Path(__file__).resolve().parent


def bundled_folder(kind: Kind) -> Path:
    """The folder of bundled files: inside an installed package, or beside it in a checkout."""
    for installed in (_PACKAGE / "bundled" / kind, _PACKAGE / kind):
        if installed.is_dir():
            return installed
    return _PACKAGE.parent / kind


def bundled_names(kind: Kind) -> list[str]:
    """Names that can be used bare, sorted."""
    return sorted(path.stem for path in bundled_folder(kind).glob("*.yaml"))


def find(kind: Kind, name: str) -> Path:
    """The file that `name` stands for.

    Raises ConfigError when there is none, listing the bundled names.
    """
    if "/" in name or name.endswith((".yaml", ".yml", ".json")):
        path = Path(name)
        if path.is_file():
            return path
        raise ConfigError(f"no file {name!r}; give a path that exists, or a bundled name: {', '.join(bundled_names(kind))}")
    path = bundled_folder(kind) / f"{name}.yaml"
    if path.is_file():
        return path
    names = bundled_names(kind)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(f"no bundled {_WORDS[kind]} {name!r}; {hint}bundled: {', '.join(names)}; own files: ./{name}.yaml")
