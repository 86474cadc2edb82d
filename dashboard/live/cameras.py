"""What a page shows of a camera, worked out from its newest scene and status. Pure: time is passed in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.language import mark
from dashboard.live.freshness import STALE_SECONDS
from spotter.catalog import Catalog
from spotter.events import Scene, Status, format_time

TileState = Literal["online", "degraded", "offline", "unknown"]


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest that was heard of a camera, and how many seconds ago it came."""

    status: Status | None = None
    status_age: float = 0.0
    scene: Scene | None = None
    scene_age: float = 0.0


@dataclass(frozen=True, slots=True)
class Tile:
    """A camera as pages, health and metrics show it."""

    camera: str
    state: TileState
    reason: str | None
    fps: float
    latency_ms: float | None
    picture: bool
    frame: tuple[int, int]
    objects: tuple[dict[str, Any], ...]
    counts: tuple[dict[str, Any], ...]
    seen: str | None

    def document(self) -> dict[str, Any]:
        """As pages read it."""
        return {name: getattr(self, name) for name in self.__slots__}


UNSEEN_FRAME = (16, 9)


def tile(camera: str, heard: Heard, catalog: Catalog, blind: str | None, deaf: bool = False) -> Tile:
    """The tile of `camera`; `blind` says why the dashboard can't know, when it can't.

    `deaf` says that ingest does not work: then a camera's silence says nothing about the camera.
    """
    state, reason = _state(heard, blind, deaf)
    status, scene = heard.status, heard.scene
    current = scene is not None and blind is None and heard.scene_age <= STALE_SECONDS and state != "offline"
    objects = scene.objects if scene and current else ()
    counted = Counter(item.label for item in objects)
    return Tile(
        camera=camera,
        state=state,
        reason=reason,
        fps=round(status.fps.detected, 1) if status and state in ("online", "degraded") else 0.0,
        latency_ms=round(status.latency_ms) if status and status.latency_ms is not None and state == "online" else None,
        picture=bool(scene and current and scene.picture),
        frame=scene.frame if scene else UNSEEN_FRAME,
        objects=tuple(
            {
                "id": item.id,
                "label": item.label,
                "name": catalog.name(item.label),
                "score": round(item.score, 2),
                "box": [round(edge, 4) for edge in item.box],
                "moving": item.moving,
            }
            for item in objects
        ),
        counts=tuple(
            {"label": label, "name": _counted(catalog, label, count), "count": count}
            for label, count in sorted(counted.items(), key=lambda pair: (pair[0] != "person", pair[0]))
        ),
        seen=format_time(scene.time) if scene and not current else None,
    )


def _state(heard: Heard, blind: str | None, deaf: bool) -> tuple[TileState, str | None]:
    if blind is not None:
        return "unknown", blind
    status = heard.status
    if status is None:
        return "unknown", mark("has not reported yet; check that the pipeline runs and knows this camera")
    silent = heard.scene is None or heard.scene_age > STALE_SECONDS
    if silent and deaf:
        return "unknown", mark("not known while ingest does not work")
    if silent and heard.status_age > STALE_SECONDS:
        return "offline", mark("stopped reporting; check the camera box and its network")
    if status.state == "online":
        # A status that does not change is repeated seldom; scenes come every 5 s even when nothing moves.
        return ("degraded", mark("reports that it works, but sends no scenes")) if silent else ("online", None)
    return status.state, status.reason or f"the pipeline reports it {status.state}"


def _counted(catalog: Catalog, label: str, count: int) -> str:
    entry = catalog.get(label)
    if entry is None:
        return catalog.name(label)
    return entry.en.name if count == 1 else entry.en.plural
