"""Where a tokenizer lies that nobody gave: on this machine, or nowhere."""

from __future__ import annotations

from pathlib import Path


def at_hand(name: str) -> str | None:
    """The folder or file of that name, or tokenizer.json in the hub's cache; None where there is neither. Downloads nothing."""
    if Path(name).exists():
        return name
    if "/" not in name:
        return None
    from huggingface_hub import try_to_load_from_cache

    try:
        cached = try_to_load_from_cache(name, "tokenizer.json")
    except ValueError:  # a name that no repository has
        return None
    return cached if isinstance(cached, str) else None
