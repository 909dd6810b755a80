"""Importing this keeps pyarrow from importing pandas: what the server that workers are forked from begins with."""

from dolmino_cli.shards.without_pandas import without_pandas

without_pandas()
