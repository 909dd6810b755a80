"""Stack Exchange dumps -> documents of a question and its accepted answer, joined on disk in bounded memory."""

# What a worker imports before it is forked, so that no worker pays for it. Stands here so that naming it imports nothing.
PRELOAD = ("dolmino_cli.sources.stackexchange.tasks",)
