"""What the rules think of a camera's picture at this moment, and why, read from what they remember.

Nothing is decided here: the rules' own state and thresholds are put into words, for those who want to know why
something is in use or is not. It is told only of cameras that somebody looks at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import redis
import structlog

from consumers.interpreter import Interpreter
from consumers.layout import Layout, Station
from consumers.rules import camera as camera_rule
from consumers.rules.identify import KioskState
from consumers.rules.kit import RETURNED_MS
from consumers.rules.resting import Spot
from consumers.rules.station import UnitState
from consumers.rules.stitching import Item
from consumers.state import PlaceState
from consumers.view import to_time
from spotter import redis_keys
from spotter.settings import WaitingZone
from spotter.thoughts import ANSWER_SECONDS, Thought, Thoughts, Why, Zone

log = structlog.get_logger()


def answer(client: redis.Redis, interpreters: Mapping[str, Interpreter]) -> int:
    """Tell of each camera that is asked for what is thought of it; gives how many. Raises RedisError."""
    known = [(site, camera) for site, one in interpreters.items() for camera in _cameras(one)]
    if not known:
        return 0
    asked = client.mget([redis_keys.thoughts_asked(*one) for one in known])
    answers = []
    for (site, camera), wanted in zip(known, asked, strict=True):
        if wanted is not None and (thoughts := _safely(interpreters[site], camera)) is not None:
            answers.append((redis_keys.thoughts(site, camera), thoughts.model_dump_json(exclude_defaults=True)))
    if answers:
        with client.pipeline(transaction=False) as commands:
            for key, text in answers:
                commands.set(key, text, ex=ANSWER_SECONDS)
            commands.execute()
    return len(answers)


def think(interpreter: Interpreter, camera: str) -> Thoughts | None:
    """What is thought of a camera; None for one of which no scene came yet."""
    layout = interpreter.layout
    place = interpreter.places.get(layout.place(camera))
    if place is None or camera not in place.state.cameras:
        return None
    state = place.state
    now = state.time if state.time is not None else state.cameras[camera].time
    zones = layout.zones_of(camera)
    return Thoughts(
        site=layout.site,
        camera=camera,
        time=to_time(state.cameras[camera].time),
        layout_version=layout.version,
        zones={name: Zone(kind=zone.kind, polygon=zones.polygons[name].corners) for name, zone in zones.zones.items()},
        thoughts=tuple(_all(state, camera, now, layout)),
    )


def _cameras(interpreter: Interpreter) -> Iterator[str]:
    for place in interpreter.places.values():
        yield from place.state.cameras


def _safely(interpreter: Interpreter, camera: str) -> Thoughts | None:
    try:
        return think(interpreter, camera)
    except Exception:  # what is only looked at must never stop what it looks at
        log.exception("thoughts_failed", site=interpreter.layout.site, camera=camera)
        return None


def _all(state: PlaceState, camera: str, now: int, layout: Layout) -> Iterator[Thought]:
    thresholds, known = layout.thresholds, state.cameras[camera]
    if camera_rule.is_dark(known, now, thresholds):
        dark = now - camera_rule.dark_since(known)
        yield _thought("camera", "dark", dark, None if known.lost else thresholds.camera_lost_after)
    for unit in layout.stations.values():
        if camera in unit.cameras:
            yield _station(unit, state.units.get(unit.unit), now, layout)
    items = state.kit[camera].items if camera in state.kit else []
    for item in items:
        if item.lost is None or item.use is not None:
            yield _item(item, now, layout)
    yield from _racks(state, camera, layout)
    yield from _queues(state, camera, now, layout)
    for spot in state.resting[camera].spots if camera in state.resting else ():
        yield from _lying(spot, layout)
    if camera in state.kiosks:
        yield _kiosk(state.kiosks[camera], now, layout)


def _station(unit: Station, state: UnitState | None, now: int, layout: Layout) -> Thought:
    about: dict[str, Any] = {"unit": unit.unit, "zone": unit.zone, "label": unit.equipment}
    gap = layout.thresholds.camera_gap
    sees = [one for one in state.watches.values() if one.picture and now - one.time <= gap] if state else []
    use = state.use if state is not None else None
    session = use is not None and use.session
    if not sees:
        return _thought("station", "unseen", session=session, **about)
    people = max(len(watch.people) for watch in sees)
    if use is None:
        return _thought("station", "nobody", people=people, **about)
    about |= {"people": people, "session": session, "confidence": use.confidence}
    if not session:
        return _thought("station", "entering", use.active, unit.enter_after, **about)
    if use.idle:
        return _thought("station", "leaving", use.idle, unit.leave_after, **about)
    return _thought("station", "inside", now - use.started, **about)


def _item(item: Item, now: int, layout: Layout) -> Thought:
    use, total = item.use, sum(item.votes.values())
    thresholds = layout.thresholds_in(use.zone if use is not None else None)
    about: dict[str, Any] = {
        "track": item.track,
        "label": item.label,
        "zone": use.zone if use is not None else item.rack if item.home else None,
        "session": use is not None and use.session,
        "also": {name: round(votes / total, 2) for name, votes in item.votes.items()} if len(item.votes) > 1 else {},
    }
    if item.lost is not None:
        return _thought("kit", "covered", item.lost, thresholds.lost_after, **about)
    if use is None or (use.idle and not use.session):
        return _thought("kit", "at_home" if item.home else "alone", **about)
    about |= {"confidence": use.confidence, "holder": item.holder}
    if use.idle:
        after = min(thresholds.rest_after, RETURNED_MS) if item.home else thresholds.rest_after
        return _thought("kit", "resting", use.idle, after, **about)
    why: Why = "moving" if item.moving else "held"
    if use.session:
        return _thought("kit", why, now - use.started, **about)
    if use.active < thresholds.use_after:
        return _thought("kit", why, use.active, thresholds.use_after, **about)
    if use.confidence < thresholds.use_confidence:
        return _thought("kit", "doubtful", **about)
    return _thought("kit", "same_hands", **about)


def _racks(state: PlaceState, camera: str, layout: Layout) -> Iterator[Thought]:
    views = state.racks.views.get(camera, {})
    for zone in layout.zones_of(camera).zones:
        clear = zone in views and views[zone].clear
        for label, (expected, seen, missing) in sorted(state.racks.told.get(zone, {}).items()):
            if not expected and not seen:
                continue
            why: Why = "missing" if missing else "hidden" if not clear else "short" if seen < expected else "complete"
            counts: dict[str, Any] = {"expected": expected, "seen": seen, "missing": missing}
            yield _thought("rack", why, zone=zone, label=label, **counts)


def _queues(state: PlaceState, camera: str, now: int, layout: Layout) -> Iterator[Thought]:
    for name, zone in layout.zones_of(camera).zones.items():
        queue = state.queues.get(name)
        if queue is None or not isinstance(zone, WaitingZone):
            continue
        gap, after = layout.thresholds.camera_gap, layout.thresholds_in(name).queue_alert_after
        people = max((count for count, seen in queue.people.values() if now - seen <= gap), default=0)
        if not people:
            yield _thought("queue", "no_queue", zone=name, people=0)
        elif queue.busy:
            yield _thought("queue", "waiting", queue.waited, after, zone=name, people=people)
        else:
            yield _thought("queue", "unit_free", zone=name, people=people)


def _lying(spot: Spot, layout: Layout) -> Iterator[Thought]:
    about: dict[str, Any] = {"track": spot.track, "label": spot.label}
    if spot.walkway is not None:
        after = layout.thresholds_in(spot.walkway).walkway_after
        why: Why = "hazard" if spot.hazard else "in_walkway"
        yield _thought("lying", why, spot.rested, None if spot.hazard else after, zone=spot.walkway, **about)
    if spot.left_out:
        yield _thought("lying", "left_out", spot.alone, zone=spot.zone, **about)
    elif not spot.settled and spot.walkway is None:
        yield _thought("lying", "lying", spot.alone, layout.thresholds_in(spot.zone).left_out_after, **about)


def _kiosk(state: KioskState, now: int, layout: Layout) -> Thought:
    if state.track is None:
        return _thought("kiosk", "nothing_shown")
    label = state.samples[-1][1] if state.samples else None
    shown = now - state.samples[0][0] if state.samples else 0
    if state.told == "recognised":
        return _thought("kiosk", "recognised", shown, track=state.track, label=state.label)
    if state.told == "unsure":
        return _thought("kiosk", "unsure", shown, track=state.track, label=label)
    return _thought("kiosk", "looking", shown, layout.thresholds.identify_after, track=state.track, label=label)


def _thought(rule: str, why: Why, so_far: int | None = None, needed: int | None = None, **more: Any) -> Thought:
    """Durations in milliseconds."""
    times = {"seconds": so_far, "needed": needed}
    shown = {name: None if ms is None else round(ms / 1000, 1) for name, ms in times.items()}
    return Thought.model_validate({"rule": rule, "why": why, **shown, **more})
