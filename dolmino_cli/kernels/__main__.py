"""`python -m dolmino_cli.kernels` compiles every kernel now, into the cache that later commands take them from."""

from __future__ import annotations

import importlib
import pkgutil

from dolmino_cli import kernels

for module in pkgutil.iter_modules(kernels.__path__, "dolmino_cli.kernels."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
