"""dolmino: from raw shards to Source%/Mix%-sampled token arrays, reproducible from two folders of YAML."""

__version__ = "0.1.0"
