"""What truly happens in a clip: usage sessions from exact boxes, by the rules of who is in which zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

Box = tuple[float, float, float, float]
REACH = 0.1  # share by which a person's box grows: kit within it is in reach
BRIDGED_SECONDS = 4.0  # a break in use shorter than this is still one session
DOUBT_SECONDS = 0.3  # at a hand-over nobody can tell the moment more exactly


@dataclass(frozen=True)
class Look:
    """What one frame shows: boxes of people, and of items by name; times are seconds."""

    seconds: float
    people: tuple[Box, ...]
    items: Mapping[str, Box]
    held: frozenset[str]


def inside(polygon: Sequence[Sequence[float]], x: float, y: float) -> bool:
    """Whether a point is in a polygon (even-odd rule)."""
    found = False
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            found = not found
    return found


def in_reach(person: Box, item: Box) -> bool:
    """Whether an item's box meets a person's box grown by `REACH`."""
    wide, tall = (person[2] - person[0]) * REACH, (person[3] - person[1]) * REACH
    x1, y1, x2, y2 = person[0] - wide, person[1] - tall, person[2] + wide, person[3] + tall
    return item[0] < x2 and item[2] > x1 and item[1] < y2 and item[3] > y1


def spans(times: Sequence[float], true: Sequence[bool], bridged: float) -> list[tuple[float, float]]:
    """First and last time of every run of true, runs less than `bridged` seconds apart joined."""
    found: list[tuple[float, float]] = []
    for time, holds in zip(times, true, strict=True):
        if not holds:
            continue
        if found and time - found[-1][1] <= bridged:
            found[-1] = (found[-1][0], time)
        else:
            found.append((time, time))
    return found


def station_spans(looks: Sequence[Look], polygon: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """When somebody stands in a station, by the bottom centre of their box."""

    def there(look: Look) -> bool:
        return any(inside(polygon, (box[0] + box[2]) / 2, box[3]) for box in look.people)

    return _spans(looks, there)


def kit_spans(
    looks: Sequence[Look], name: str, racks: Sequence[Sequence[Sequence[float]]]
) -> list[tuple[float, float]]:
    """When an item is seen outside of every rack, held or in somebody's reach."""

    def used(look: Look) -> bool:
        box = look.items.get(name)
        if box is None:
            return False
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        if any(inside(rack, x, y) for rack in racks):
            return False
        return name in look.held or any(in_reach(person, box) for person in look.people)

    return _spans(looks, used)


def _spans(looks: Sequence[Look], holds: Callable[[Look], bool]) -> list[tuple[float, float]]:
    return spans([look.seconds for look in looks], [holds(look) for look in looks], BRIDGED_SECONDS)


def truth_of(
    looks: Sequence[Look],
    zones: Mapping[str, Mapping[str, object]],
    labels: Mapping[str, str],
    hands_on: Mapping[str, Sequence[tuple[float, float]]],
    held_up: Sequence[tuple[str, float, float]] = (),
) -> dict[str, Any]:
    """A truth file's content. `hands_on` gives when each item was in a hand; unseen parts of that are doubt."""
    sessions: list[dict[str, Any]] = []
    doubt: list[tuple[float, float]] = []
    polygons = {name: cast("list[list[float]]", zone["polygon"]) for name, zone in zones.items()}
    for name, zone in zones.items():
        if zone["kind"] == "station":
            for start, end in station_spans(looks, polygons[name]):
                sessions.append({"equipment": zone["equipment"], "unit": name, "start": start, "end": end})
                doubt += [(start - DOUBT_SECONDS, start + DOUBT_SECONDS), (end - DOUBT_SECONDS, end + DOUBT_SECONDS)]
    if not any(zone["kind"] == "kiosk" for zone in zones.values()):
        for name, label in labels.items():
            homes = [zone for zone, found in zones.items() if label in cast("dict[str, int]", found.get("holds", {}))]
            racks = [polygons[zone] for zone in homes]
            for start, end in kit_spans(looks, name, racks):
                sessions.append({"equipment": label, "unit": None, "start": start, "end": end})
                edges = [edge for span in hands_on.get(name, ()) for edge in span]
                near_start = [edge for edge in edges if abs(edge - start) < BRIDGED_SECONDS]
                near_end = [edge for edge in edges if abs(edge - end) < BRIDGED_SECONDS]
                doubt.append((min([start, *near_start[:1]]) - DOUBT_SECONDS, start + DOUBT_SECONDS))
                doubt.append((end - DOUBT_SECONDS, max([end, *near_end[-1:]]) + DOUBT_SECONDS))
    content: dict[str, Any] = {
        "start": "2026-01-01T00:00:00Z",
        "uncertain": [[_tenth(max(a, 0.0)), _tenth(b)] for a, b in sorted(doubt)],
        "sessions": [
            {**session, "start": _tenth(session["start"]), "end": _tenth(session["end"])}
            for session in sorted(sessions, key=lambda session: float(session["start"]))
        ],
    }
    if held_up:
        content["held"] = [{"label": label, "start": start, "end": end} for label, start, end in held_up]
    return content


def _tenth(seconds: float) -> float:
    return round(seconds, 1)
