"""Redis keys and channels, in one place. Redis holds only what can be made again: the database is the truth."""

from __future__ import annotations

import zlib

DEAD_LETTERS = "spotter:dead"
"""Stream of refused messages: fields `topic`, `payload` (its first 64 KiB), `size`, `cause`, `detail`, `at`."""

SCENE_FIELD = "scene"
"""Field of a scene stream's entry: a scene, as received."""

REFUSED_FIELD = "refused"
"""In its place where a scene was refused: `{"site", "camera", "stream", "seq"}`, so that the row goes on past it."""

USAGE_GROUP = "usage"
"""Consumer group of the usage workers on every scene stream."""


def shard_of(site: str, shards: int) -> int:
    """The shard that a site's scenes go to; the same on every machine."""
    return zlib.crc32(site.encode()) % shards


def scenes(shard: int) -> str:
    """Stream of scenes, each entry with SCENE_FIELD or REFUSED_FIELD."""
    return f"spotter:scenes:{shard}"


def shard_lock(shard: int) -> str:
    """Held by the one usage worker that owns a shard."""
    return f"spotter:owner:{shard}"


def live_scenes(site: str) -> str:
    """Hash camera -> newest scene (JSON as received)."""
    return f"spotter:live:{site}:scenes"


def live_status(site: str) -> str:
    """Hash camera -> newest status (JSON as received)."""
    return f"spotter:live:{site}:status"


def preview(site: str, camera: str) -> str:
    """Newest preview JPEG; expires within seconds."""
    return f"spotter:preview:{site}:{camera}"


def thoughts_asked(site: str, camera: str) -> str:
    """There while somebody wants to know what the rules think of a camera; expires by itself."""
    return f"spotter:thoughts:asked:{site}:{camera}"


def thoughts(site: str, camera: str) -> str:
    """The newest answer (JSON, `spotter.thoughts.Thoughts`); expires within seconds."""
    return f"spotter:thoughts:{site}:{camera}"


def changes(site: str) -> str:
    """Pub/sub channel: JSON `{"kind": "scene"|"status"|"usage"|"preview", "camera": …}` when live state changed."""
    return f"spotter:changes:{site}"


def heartbeat(part: str, shard: int = 0) -> str:
    """A part's proof of life: JSON with its `time` and counters; expires within 15 s of its last beat.

    The usage part proves each shard's; that of shard 0, which is often the only one, is named like any other part's.
    """
    return f"spotter:heartbeat:{part}:{shard}" if shard else f"spotter:heartbeat:{part}"
