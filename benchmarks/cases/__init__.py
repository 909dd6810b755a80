"""One module per benchmark; each has `measure(bench) -> Section`."""
