"""Token arrays: their format, how documents become them, how they are read."""

# What a worker imports before it is forked, so that no worker pays for it. Stands here so that naming it imports nothing.
PRELOAD = ("dolmino_cli.tokens.tasks", "gigatoken")
