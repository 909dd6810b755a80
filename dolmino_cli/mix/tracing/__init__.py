"""From a token of a mix to its document, and back."""
