"""Queues: the seconds that people spend in a waiting zone while all the units that they wait for are busy.

See `docs/rules/queue.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.facts import HOUR_MS, SLICE_MS, AlertFact, QueueFact
from consumers.layout import Layout
from consumers.picture import Picture
from consumers.rules.alerts import Alerts, OpenAlert, clear, raise_if_new, seconds


@dataclass(slots=True)
class QueueState:
    """What is remembered of a waiting zone. Times in milliseconds since 1970."""

    time: int
    """Of the newest scene of the place."""
    people: dict[str, list[int]] = field(default_factory=dict)
    """camera -> [how many are in the zone, time of its newest picture]"""
    busy: bool = False
    """All units were in use at that scene."""
    begin: int | None = None
    """Where the waiting that is not told of yet began."""
    person_ms: int = 0
    """The waiting not told of yet, summed over people."""
    waited: int = 0
    """For how many milliseconds there has been a queue, but for short breaks."""
    calm: int = 0
    """For how many milliseconds there has been none."""


def step(
    state: QueueState | None,
    picture: Picture | None,
    now: int,
    zone: str,
    units: tuple[str, ...],
    busy: bool,
    alerts: Alerts,
    layout: Layout,
) -> tuple[QueueState, list[QueueFact | AlertFact]]:
    """Take a scene of the zone's place into account; `busy`: all of `units` are in use as of this scene."""
    if state is None:
        state = QueueState(now)
    if not (busy or state.busy or state.begin is not None or state.waited):
        _see(state, picture, now, zone)
        return state, []
    facts: list[QueueFact | AlertFact] = []
    gap = layout.thresholds.camera_gap
    counts = [count for count, seen in state.people.values() if now - seen <= gap]
    queue = max(counts, default=0) if state.busy else 0
    if counts:
        facts += _pass_time(state, now, queue, zone, units)
        facts += _alert(state, now, queue, zone, alerts, layout)
    else:
        facts += _flush(state, zone, units, state.time)
    state.busy = busy
    _see(state, picture, now, zone)
    return state, facts


def _see(state: QueueState, picture: Picture | None, now: int, zone: str) -> None:
    state.time = now
    if picture is not None and zone in picture.zones.zones:
        state.people[picture.camera] = [len(picture.people_in.get(zone, ())), now]


def blind(state: QueueState, camera: str) -> None:
    """The camera shows nothing: whom it saw is not known to wait any longer."""
    state.people.pop(camera, None)


def _pass_time(state: QueueState, now: int, queue: int, zone: str, units: tuple[str, ...]) -> list[QueueFact]:
    """Book the time before this scene, in slices that cross no full hour."""
    if not queue:
        return _flush(state, zone, units, state.time)
    facts: list[QueueFact] = []
    if state.begin is None:
        state.begin = state.time
    moment = state.time
    while moment < now:
        until = min(now, (moment // HOUR_MS + 1) * HOUR_MS)
        state.person_ms += queue * (until - moment)
        if until % HOUR_MS == 0 or until - state.begin >= SLICE_MS:
            facts += _flush(state, zone, units, until)
            state.begin = until
        moment = until
    return facts


def _flush(state: QueueState, zone: str, units: tuple[str, ...], end: int) -> list[QueueFact]:
    begin, waited = state.begin, state.person_ms
    state.begin, state.person_ms = None, 0
    return [QueueFact(zone, units, begin, end, waited)] if begin is not None and waited else []


def _alert(state: QueueState, now: int, queue: int, zone: str, alerts: Alerts, layout: Layout) -> list[AlertFact]:
    thresholds = layout.thresholds_in(zone)
    elapsed = now - state.time
    if queue:
        state.waited += elapsed
        state.calm = 0
        if state.waited < thresholds.queue_alert_after:
            return []
        alert = OpenAlert("queue", zone, now, zone=zone, layout_version=layout.version)
        return raise_if_new(alerts, alert, f"people wait at {zone} for {seconds(thresholds.queue_alert_after)}")
    state.calm += elapsed
    if state.calm < thresholds.leave_after:
        return []
    state.waited = 0
    return clear(alerts, "queue", zone, now, f"nobody waits at {zone} any more")
