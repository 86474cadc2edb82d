"""Today: the owner's first page."""
