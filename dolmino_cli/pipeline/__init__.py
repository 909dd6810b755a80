"""The loop: shards through a recipe's stages; counts per reason, sidecars, rejects."""

# What a worker imports, and so compiles where that was not done yet, before it is forked: no worker pays for it, nor does the
# process that plans the run meanwhile. Stands here so that naming it imports nothing.
PRELOAD = (
    "dolmino_cli.pipeline.shard_task",
    "dolmino_cli.stages.fasttext",
    "dolmino_cli.stages.repeated_ngrams",
    "dolmino_cli.kernels.fasttext_score",
    "dolmino_cli.kernels.repetition",
)
