"""Which tokenizer, exactly, and the fastest engine that gives its ids."""
