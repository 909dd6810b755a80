"""Token arrays: their format, how documents become them, how they are read."""
