"""Cameras in, scenes out."""
