"""What a process that runs tasks begins with: the one that directs them, and the server that workers are forked from."""

import gc

from dolmino_cli.shards.without_pandas import without_pandas

# Imports and documents make hundreds of thousands of objects and next to no cycles among them; to look for those as often as
# Python does takes 3 % of a run, and a tenth of one that compiles its kernels.
gc.set_threshold(50_000)
without_pandas()
