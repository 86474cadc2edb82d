"""Subcommands of `spotter` that belong to no room."""
