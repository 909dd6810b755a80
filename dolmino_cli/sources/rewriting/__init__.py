"""Rewriting and synthesis by a model: documents in, a model's answers out, each asked and paid for once."""
