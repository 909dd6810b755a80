"""The hot loops, over numpy and Arrow buffers. No Python object per document; knows nothing of files."""
