"""What a rank trains on in a step: windows of a mix, what of them counts, and where they come from. Needs no torch."""
