"""Telling people and programs of alerts: by mail and by webhook, once each, outside quiet hours."""
