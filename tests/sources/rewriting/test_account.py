"""The account of requests: sums over shards, taken while answers come in."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dolmino_cli.sources.rewriting.account import Account


def test_an_account_may_grow_while_it_is_added() -> None:
    """As by the thread that stores answers: the first failure of a kind makes a new key."""

    class Retries(Counter[str]):
        def get(self, key: str, default: Any = None) -> Any:
            grows.retries[f"http {500 + len(grows.retries)}"] += 1
            return super().get(key, default)

    grows, whole = Account(retries=Counter(timeout=1, cut=2)), Account(retries=Retries(timeout=1))
    whole.merge(grows)
    assert whole.retries == {"timeout": 2, "cut": 2}
    assert len(grows.retries) > 2  # it did
