"""Mixes: manifest, plan, sample, lock."""
