"""The layout editor: zones drawn over a camera's picture, kept as versions that take effect at once."""
