"""What a sample is held to: the lock that it is made from, and a lock that it is to replace."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.lock import Lock, MixPart, Request, differences, parse, request_of
from dolmino_cli.shards.storage import Output


def check_second_lock(parent: Output, name: str, request: Request) -> None:
    """Raise before the work begins where the second copy of the lock cannot be written, or would replace another mix's."""
    parent.check_writable()
    there = parent.read(name)
    if there is not None and (changed := list(differences(request_of(parse(there, parent.path(name))), request))):
        raise ConfigError(f"{parent.path(name)} is another mix's lock: {'; '.join(changed)}; give another --lock, or delete it")


def check_lock(expected: Lock, now: Lock, output: Output) -> None:
    """Raise DataError, naming the first difference, unless `now` is what `expected` says of selection and parts."""
    _check_selection(expected, now, output)
    if expected.outputs is not None:
        _check_outputs(expected.outputs, now.outputs or [], output)


def _check_selection(expected: Lock, now: Lock, output: Output) -> None:
    for name, want in expected.sources.items():
        for field in ("taken_tokens", "taken_documents", "last_key"):
            locked, found = getattr(want, field), getattr(now.sources[name], field)
            if locked != found:
                raise DataError(f"differs from the lock: {field} of {name} is {found}, the lock says {locked}", path=output.root)


def _check_outputs(expected: Sequence[MixPart], written: Sequence[MixPart], output: Output) -> None:
    if len(expected) != len(written):
        raise DataError(f"{len(written)} parts came out, the lock has {len(expected)}", path=output.root)
    for want, have in zip(expected, written, strict=True):
        for field in dataclasses.fields(MixPart):
            locked, now = getattr(want, field.name), getattr(have, field.name)
            if locked != now:
                problem = f"differs from the lock: {field.name} is {now}, the lock says {locked}"
                raise DataError(problem, path=output.path(have.name))
