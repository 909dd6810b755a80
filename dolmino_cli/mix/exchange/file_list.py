"""`NAME.files.txt`: every token file that a configuration lists, in its order and as often as it lists it.

Lines of values with tabs between them, in this order:

    #dolmino file list  1
    #name  NAME, #tokenizer  NAME, #dtype  uint16|uint32
    #setting  KEY  VALUE            what the configuration says besides its files, as it writes it; any number
    #share  SOURCE  TARGET_RATIO  MAX_REPETITION_RATIO  MAX_SOURCE_FRACTION    of an OLMo-core source mixture; any number
    #SOURCE  PREFIX  TOKENS  exact|rounded    above the files that such a comment introduces, and counts together
    PATH  SOURCE  TOKENS            a file

TOKENS that are not known are `?`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

from dolmino_cli.errors import ConfigError, DataError

SUFFIX = ".files.txt"
_FIRST_LINE = "#dolmino file list\t1"
_HEAD = ("#name", "#tokenizer", "#dtype")
_UNKNOWN = "?"
_DTYPES = ("uint16", "uint32")

Dtype = Literal["uint16", "uint32"]


@dataclass(frozen=True, kw_only=True)
class ListedFile:
    """One line of a list. `line` is where the configuration has it; two lists are equal whatever their lines."""

    path: str
    source: str
    tokens: int | None = None
    line: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.path or self.path.startswith("#") or any(character in self.path for character in "\t\n\r"):
            where = f"line {self.line}: " if self.line else ""
            raise ConfigError(
                f"{where}path {self.path[:120]!r} is not allowed; it must not begin with '#' nor hold tabs or line ends"
            )


@dataclass(frozen=True, kw_only=True)
class Header:
    """A `#SOURCE: prefix (191.58MT)` comment: the tokens of the files from number `before` (0-based) to the next header."""

    before: int
    prefix: str
    tokens: int | None
    exact: bool
    """False where the tokens were printed with three or four digits only."""
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Share:
    """What an OLMo-core source mixture takes of a source: ratios of 1, of the mix's tokens and of the source's."""

    target_ratio: float
    max_repetition_ratio: float = 1.0
    max_source_fraction: float = 1.0


@dataclass(frozen=True, kw_only=True)
class FileList:
    """The files of a mix. `settings` are what the configuration says besides them: OLMo's dotted keys, values as written."""

    name: str
    tokenizer: str
    dtype: Dtype
    files: tuple[ListedFile, ...]
    headers: tuple[Header, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)

    @property
    def bytes_per_token(self) -> int:
        """2 or 4."""
        return 2 if self.dtype == "uint16" else 4

    def number(self, key: str) -> int | None:
        """A setting that is a whole number; None where the configuration does not say it. Raises ConfigError for other text."""
        text = self.settings.get(key)
        if text is None:
            return None
        try:
            return int(text.replace("_", ""))
        except ValueError:
            raise ConfigError(f"{key} is {text!r}; expected a whole number") from None

    def blocks(self) -> Iterator[tuple[Header | None, tuple[ListedFile, ...]]]:
        """The files under each header, in order; first those above all headers, if there are any."""
        bounds = [*(header.before for header in self.headers), len(self.files)]
        if bounds[0]:
            yield None, self.files[: bounds[0]]
        for number, header in enumerate(self.headers):
            yield header, self.files[bounds[number] : bounds[number + 1]]

    def to_text(self) -> str:
        """The file's content."""
        lines = [_FIRST_LINE, f"#name\t{self.name}", f"#tokenizer\t{self.tokenizer}", f"#dtype\t{self.dtype}"]
        lines += [f"#setting\t{key}\t{value}" for key, value in self.settings.items()]
        for name, share in self.shares.items():
            lines.append(f"#share\t{name}\t{share.target_ratio!r}\t{share.max_repetition_ratio!r}\t{share.max_source_fraction!r}")
        for header, files in self.blocks():
            if header is not None:
                exactness = "exact" if header.exact else "rounded"
                lines.append(f"#SOURCE\t{header.prefix}\t{_written(header.tokens)}\t{exactness}")
            lines += [f"{file.path}\t{file.source}\t{_written(file.tokens)}" for file in files]
        return "\n".join(lines) + "\n"


def _written(tokens: int | None) -> str:
    return _UNKNOWN if tokens is None else str(tokens)


def parse(text: str, path: str) -> FileList:
    """A list from its file's text. Raises DataError with the line that is not as the module says."""
    lines = text.split("\n")
    if lines[0] != _FIRST_LINE:
        raise DataError(f"is no file list: its first line is {lines[0][:60]!r}, expected {_FIRST_LINE!r}", path=path, line=1)
    if lines[-1] != "":
        raise DataError("the last line has no end; the file was cut short", path=path, line=len(lines))
    reader = _Reader(path)
    for number, line in enumerate(lines[1:-1], start=2):
        reader.read(number, line)
    return reader.finish()


class _Reader:
    def __init__(self, path: str) -> None:
        self.path, self.line = path, 1
        self.head: dict[str, str] = {}
        self.settings: dict[str, str] = {}
        self.shares: dict[str, Share] = {}
        self.headers: list[Header] = []
        self.files: list[ListedFile] = []

    def refuse(self, problem: str) -> DataError:
        return DataError(problem, path=self.path, line=self.line)

    def read(self, number: int, line: str) -> None:
        self.line = number
        kind, *values = line.split("\t")
        if not kind.startswith("#"):
            path, source, tokens = self._values(line.split("\t"), "PATH, SOURCE, TOKENS")
            self.files.append(ListedFile(path=path, source=source, tokens=self._tokens(tokens), line=number))
        elif kind == "#SOURCE":
            prefix, tokens, exactness = self._values(values, "PREFIX, TOKENS, exact or rounded")
            if exactness not in ("exact", "rounded"):
                raise self.refuse(f"{exactness!r}; allowed: exact, rounded")
            before, exact = len(self.files), exactness == "exact"
            self.headers.append(Header(before=before, prefix=prefix, tokens=self._tokens(tokens), exact=exact, line=number))
        elif self.files or self.headers:
            raise self.refuse(f"{kind} stands below the first file; it belongs above")
        elif kind == "#setting":
            key, value = self._values(values, "KEY, VALUE")
            self._new(key, self.settings)
            self.settings[key] = value
        elif kind == "#share":
            source, *ratios = self._values(values, "SOURCE, TARGET_RATIO, MAX_REPETITION_RATIO, MAX_SOURCE_FRACTION")
            self._new(source, self.shares)
            target, repetition, fraction = (self._ratio(text) for text in ratios)
            self.shares[source] = Share(target_ratio=target, max_repetition_ratio=repetition, max_source_fraction=fraction)
        elif kind in _HEAD:
            self._new(kind, self.head)
            (self.head[kind],) = self._values(values, "a value")
        else:
            raise self.refuse(f"{kind!r} is not known; allowed: {', '.join(_HEAD)}, #setting, #share, #SOURCE, or a file's line")

    def _values(self, values: list[str], wanted: str) -> list[str]:
        if len(values) != wanted.count(",") + 1 or "" in values:
            raise self.refuse(f"has {len(values)} values; expected {wanted}, separated by tabs")
        return values

    def _new(self, key: str, found: dict[str, str] | dict[str, Share]) -> None:
        if key in found:
            raise self.refuse(f"{key} is given twice; keep one")

    def _tokens(self, text: str) -> int | None:
        if text == _UNKNOWN:
            return None
        if not (text.isascii() and text.isdigit()):
            raise self.refuse(f"tokens are {text!r}; expected a whole number, or {_UNKNOWN!r} where it is not known")
        return int(text)

    def _ratio(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise self.refuse(f"{text!r} is no number") from None

    def finish(self) -> FileList:
        if missing := [kind for kind in _HEAD if kind not in self.head]:
            raise self.refuse(f"the list says no {', '.join(missing)}")
        if self.head["#dtype"] not in _DTYPES:
            raise self.refuse(f"#dtype is {self.head['#dtype']!r}; allowed: {', '.join(_DTYPES)}")
        if not self.files:
            raise self.refuse("the list has no files")
        return FileList(
            name=self.head["#name"],
            tokenizer=self.head["#tokenizer"],
            dtype=cast(Dtype, self.head["#dtype"]),
            files=tuple(self.files),
            headers=tuple(self.headers),
            settings=self.settings,
            shares=self.shares,
        )
