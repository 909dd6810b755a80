"""The loop: shards through a recipe's stages; counts per reason, sidecars, rejects."""
