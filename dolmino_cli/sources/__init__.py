"""Verbs that see more than one document, or make documents: the Stack Exchange join."""
