"""DolminoSynthMath's arithmetic: problems drawn by keyed hash, worded in many ways, every equation true."""

# What a worker imports before it is forked, so that no worker pays for it. Stands here so that naming it imports nothing.
PRELOAD = ("dolmino_cli.sources.arithmetic.tasks",)
