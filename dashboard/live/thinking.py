"""Asks the usage worker what the rules think of a camera, and waits a moment for its answer."""

from __future__ import annotations

import time

import redis
import structlog
from flask import abort
from pydantic import ValidationError

from dashboard.context import Context
from spotter import redis_keys
from spotter.thoughts import ASKED_SECONDS, Thoughts

log = structlog.get_logger()

WAIT_SECONDS = 1.0
"""The worker looks for questions several times a second; later ones find its answer waiting."""


def ask(context: Context, camera: str) -> Thoughts | None:
    """What is thought of `camera`; None where nobody answers. A camera that is not here ends the request with 404."""
    if not any(tile.camera == camera for tile in context.watcher.tiles()):
        abort(404, "There is no such camera here.")
    if context.redis is None:
        return None
    site, deadline = context.settings.site, time.monotonic() + WAIT_SECONDS
    try:
        context.redis.set(redis_keys.thoughts_asked(site, camera), b"1", ex=ASKED_SECONDS)
        while (found := context.redis.get(redis_keys.thoughts(site, camera))) is None:
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.05)
        return Thoughts.model_validate_json(found)
    except redis.RedisError:
        return None  # health says so
    except ValidationError:
        log.warning("thoughts_not_understood", camera=camera)  # of a worker of another version
        return None
