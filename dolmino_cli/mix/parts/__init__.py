"""The parts of a mix as a trainer reads them: mapped from a disk, fetched from S3 whole, or window by window."""
