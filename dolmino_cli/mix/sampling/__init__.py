"""From a manifest and token arrays to the parts of a mix."""
