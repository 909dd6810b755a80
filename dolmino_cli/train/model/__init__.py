"""Any causal language model of Hugging Face: built on no device, sharded, filled from safetensors, written back."""
