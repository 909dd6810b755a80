"""From a manifest and token arrays to the parts of a mix."""

# What a worker imports before it is forked, so that no worker pays for it. Stands here so that naming it imports nothing.
PRELOAD = ("dolmino_cli.mix.sampling.choose", "dolmino_cli.mix.sampling.order", "dolmino_cli.mix.sampling.write_part")
