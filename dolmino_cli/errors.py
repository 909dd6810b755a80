"""The error tree. The library raises; `cli` prints one line and sets the exit code, in one place.

    DolminoError
    ├── ConfigError    the request is wrong (a recipe, a manifest, an option)        exit 2
    ├── DataError      a record or a file is not what it must be (path, line)        exit 1
    ├── StorageError   bytes could not be read or written (permissions, disk, S3)    exit 1
    ├── MissingExtra   an optional library is not installed; says the pip line       exit 1
    ├── RunFailed      a run ended without all of its tasks done                     exit 1
    └── LeftToOthers   this process's share is done; others do the rest of the run   exit 0

Every message says what was given, what is allowed and what to do. Credentials never stand in one.
"""

from __future__ import annotations


class DolminoError(Exception):
    """Whatever dolmino refuses or fails at; `exit_code` is what the process ends with."""

    exit_code = 1


class ConfigError(DolminoError):
    """A wrong request: nothing was run, nothing was written."""

    exit_code = 2


class DataError(DolminoError):
    """A record or file that breaks its format, named by path and (where there is one) 1-based line."""

    def __init__(self, problem: str, *, path: str, line: int | None = None) -> None:
        self.problem, self.path, self.line = problem, path, line
        super().__init__(f"{path}:{line}: {problem}" if line is not None else f"{path}: {problem}")

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders by pickling; keyword-only arguments need telling how.
        return (_data_error, (self.problem, self.path, self.line))


def _data_error(problem: str, path: str, line: int | None) -> DataError:
    return DataError(problem, path=path, line=line)


class StorageError(DolminoError):
    """Bytes that could not be read, listed or written."""


class MissingExtra(DolminoError):
    """An optional dependency that this request needs and that is not installed."""

    def __init__(self, library: str, *, extra: str, needed_for: str) -> None:
        self.library, self.extra, self.needed_for = library, extra, needed_for
        super().__init__(f"{needed_for} needs the package {library!r}; install it with: pip install 'dolmino[{extra}]'")

    def __reduce__(self) -> tuple[object, ...]:
        return (_missing_extra, (self.library, self.extra, self.needed_for))


def _missing_extra(library: str, extra: str, needed_for: str) -> MissingExtra:
    return MissingExtra(library, extra=extra, needed_for=needed_for)


class RunFailed(DolminoError):
    """Some tasks of a run did not finish; those that did are kept and skipped on a rerun."""


class LeftToOthers(DolminoError):
    """A process of a divided run has nothing left to do, while others are at work; the last of them finishes the run."""

    exit_code = 0


def unreadable(path: object, error: OSError) -> DolminoError:
    """A file that the request names could not be read: ConfigError where it is not there, else it was not the request's fault."""
    wrong_name = isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError)
    return (ConfigError if wrong_name else StorageError)(f"{path}: cannot be read: {error.strerror or error}")


def first_line(error: Exception) -> str:
    """What another library's error says, in the one line that ours have room for; its kind where it says nothing.

    A line that ends with a colon has the next one with it.
    """
    first, *others = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
    return f"{first} {others[0]}" if first.endswith(":") and others else first
