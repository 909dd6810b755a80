"""pyarrow, kept from importing pandas for nothing.

With its first array pyarrow imports pandas wherever that is installed, only to know pandas' types when it meets them: 0.6 s and
57 MB, in every process. Nothing here uses it.
"""

from __future__ import annotations

import sys

from dolmino_cli.hidden import hidden


def without_pandas() -> None:
    """Let pyarrow look for pandas now, and not find it. For processes of ours, before the first array.

    Anybody may import pandas later, and `to_pandas` does; only pandas' own scalars (NaT, NA) in lists stay unknown to pyarrow.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    api = getattr(pa.lib, "_pandas_api", None)
    if api is None:  # not in the versions that we know
        return
    with hidden("pandas"):
        _ = api.have_pandas
        pa.array([None])  # where it looks a second time, for the types of scalars, and once only
