"""An OLMo-core mix `.txt` as a file list: lines `label,path`, or the bare paths of OLMo-core's first Dolmino lists.

Empty lines and those that begin with `#` say nothing, but for source comments (olmo_core/data/mixes/__init__.py). A path is
relative to where the mix is stored, and has {TOKENIZER} where the tokenizer's name belongs; it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import Header, ListedFile
from dolmino_cli.mix.exchange.source_comments import read_source_comment

PLACEHOLDER = "{TOKENIZER}"


def read_lines(
    text: str, path: str, source_of: Callable[[str, str | None], str]
) -> tuple[tuple[ListedFile, ...], tuple[Header, ...]]:
    """The files in order, and the source comments between them; `source_of(path, label)` names a file's source.

    Raises ConfigError with file:line for a line that is neither.
    """
    files: list[ListedFile] = []
    headers: list[Header] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            header = read_source_comment(line, path=path, line=number, before=len(files))
            headers += [header] if header else []
            continue
        label, comma, listed = stripped.rpartition(",")
        if "," in label or (comma and not label) or not listed or "\t" in stripped or not listed.endswith(".npy"):
            raise ConfigError(f"{path}:{number}: {stripped[:120]!r}; expected 'label,path/of/a/file.npy', or a path alone")
        files.append(ListedFile(path=listed, source=source_of(listed, label or None), line=number))
    if not files:
        raise ConfigError(f"{path}: lists no files; expected lines 'label,path/of/a/file.npy'")
    return tuple(files), tuple(headers)
