"""Secrets that are handed out once: the database keeps their hash alone."""

from __future__ import annotations

import hashlib
import secrets


def fresh() -> str:
    """A new secret of 256 random bits, fit for an address."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is kept of a secret. Plain SHA-256 is enough where there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
