"""DolminoSynthMath's arithmetic: problems drawn by keyed hash, worded in many ways, every equation true."""
