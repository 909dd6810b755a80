"""What a run says about itself, and what stops it."""
