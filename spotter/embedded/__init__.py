"""Servers that Spotter starts for itself where the settings name none: an MQTT broker and Redis, on 127.0.0.1."""
