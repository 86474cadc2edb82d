"""Scenes in, facts out: usage sessions, counts and alerts."""
