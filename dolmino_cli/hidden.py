"""Packages that others import for nothing wherever they find them installed, kept out of sight meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType


class _Hides:  # no importlib.abc.MetaPathFinder: that brings importlib.resources
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Refuse the package; leave everything else to the other finders."""
        if fullname == self._package:
            raise ModuleNotFoundError(f"{fullname} is not needed yet", name=fullname)


@contextmanager
def hidden(package: str) -> Iterator[None]:
    """Meanwhile `package` cannot be imported, if it was not before; afterwards anybody may."""
    finder = _Hides(package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
