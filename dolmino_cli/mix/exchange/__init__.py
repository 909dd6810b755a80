"""Mixes as others write them: their configurations into a manifest and a file list, ours into theirs."""
