"""Verbs that see more than one document at a time, or make documents."""
