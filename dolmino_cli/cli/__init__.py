"""The shell verbs: parse, call one function, print. One file per verb."""
