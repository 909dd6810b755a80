"""What a checkpoint scores, with the discipline of the paper."""
