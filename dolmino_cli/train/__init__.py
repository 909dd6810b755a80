"""The trainer and the soup: a mix's arrays and a Hugging Face checkpoint in, Hugging Face checkpoints out."""
