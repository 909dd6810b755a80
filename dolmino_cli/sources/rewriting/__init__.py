"""Rewriting and synthesis by a model: documents in, a model's answers out, each asked and paid for once."""

# What a worker imports before it is forked, so that no worker pays for it. Stands here so that naming it imports nothing.
PRELOAD = ("dolmino_cli.sources.rewriting.shares", "httpx")
