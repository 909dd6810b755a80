"""What the tests of reading share."""

from __future__ import annotations

import pytest

from dolmino_cli.shards import json_columns


@pytest.fixture(params=["decoder", "kernel"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON's texts by the decoder, as in a process that reads little, and by the kernel."""
    monkeypatch.setattr(json_columns, "_kernel_pays", lambda _: request.param == "kernel")
