"""The mean of checkpoints, tensor by tensor."""
