"""Microanneals one after another: sampled, trained, scored, compared."""
