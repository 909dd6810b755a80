"""Checkpoints that a run of any size goes on from."""
