"""Telling people and programs of alerts: by mail, by webhook and in browsers, once each, outside quiet hours."""
