"""The hot loops, over numpy and Arrow buffers. No Python object per document; knows nothing of files.

Compiled code is kept between runs in a folder named by the content of these sources. Numba itself looks only at the date of
the file that holds a function: not at the other files whose code it built in, and wheels give all files the same date.

numba imports every installed package that registers an extension of it; here that is awkward, which comes with gigatoken:
0.4 s and 30 MB per process. No kernel uses any extension, so numba is told that it has them all. It also imports scipy, for the
linear algebra that no kernel has either: 0.25 s.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def _compiled_folder() -> Path:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    name = Path("kernels") / digest.hexdigest()[:16]
    folder = Path(os.environ.get("DOLMINO_CACHE") or Path.home() / ".cache" / "dolmino") / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that cannot be written
        folder = Path(tempfile.gettempdir()) / f"dolmino-{os.getuid()}" / name
        folder.mkdir(parents=True, exist_ok=True)
    return folder


os.environ.setdefault("NUMBA_CACHE_DIR", str(_compiled_folder()))

from dolmino_cli.hidden import hidden  # noqa: E402

with hidden("scipy"):  # numba reads the folder when it is imported, and looks for scipy then and in arraymath
    import numba.core.entrypoints
    import numba.np.arraymath

if hasattr(numba.core.entrypoints, "_already_initialized"):
    numba.core.entrypoints._already_initialized = True
