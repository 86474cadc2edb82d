"""Racks: what is expected in one, what is seen, and what is missing because it is seen nowhere.

Identical items cannot be told apart: everything here is a count per label. See `docs/rules/rack.md`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from consumers.facts import AlertFact, CountFact, RackFact
from consumers.layout import Layout
from consumers.picture import Picture
from consumers.rules.alerts import Alerts, OpenAlert, clear, raise_if_new, seconds
from consumers.rules.use import FLICKER_MS
from consumers.view import Box
from consumers.zones import overlap
from spotter.settings import RackZone


@dataclass(slots=True)
class Smoothed:
    """The median, by time, of a count over a window."""

    runs: list[list[int]] = field(default_factory=list)
    """[count, milliseconds], oldest first."""

    def add(self, count: int, milliseconds: int, window: int) -> bool:
        """The count was `count` for some time; what is older than the window goes. Gives whether anything changed."""
        runs = self.runs
        if runs and runs[-1][0] == count:
            if len(runs) == 1 and runs[0][1] == window:
                return False
            runs[-1][1] += milliseconds
        else:
            runs.append([count, milliseconds])
        excess = sum(duration for _, duration in runs) - window
        while excess > 0:
            if runs[0][1] > excess:
                runs[0][1] -= excess
                break
            excess -= runs.pop(0)[1]
        return True

    def median(self, window: int) -> int | None:
        """The count at which half of the window lies; None until there was one whole window."""
        if len(self.runs) == 1:
            return self.runs[0][0] if self.runs[0][1] >= window else None
        if sum(duration for _, duration in self.runs) < window:
            return None
        passed = 0
        for count, duration in sorted(self.runs):
            passed += duration
            if 2 * passed >= window:
                return count
        return None


@dataclass(slots=True)
class RackView:
    """What one camera sees of a rack."""

    seen: dict[str, int] = field(default_factory=dict)
    """label -> how many, in the newest picture with nobody before the rack"""
    clear: bool = False
    """Nobody stood before it in the newest picture."""
    smoothed: dict[str, Smoothed] = field(default_factory=dict)


@dataclass(slots=True)
class Absence:
    """How many of a label are seen nowhere."""

    seen: Smoothed = field(default_factory=Smoothed)
    """Anywhere, over the length of a flicker."""
    unseen: list[int] = field(default_factory=list)
    """For how many milliseconds at least 1, 2, … have been seen nowhere."""


@dataclass(frozen=True, slots=True)
class Racks:
    """The racks of a place, and what follows from them."""

    zones: dict[str, RackZone]
    homes: dict[str, str]
    """label -> the first rack that it belongs in"""
    expected: dict[str, int]
    """label -> how many belong in all of them"""

    @classmethod
    def of(cls, layout: Layout, cameras: Iterable[str]) -> Racks:
        """The racks that some cameras see; of one that several see, the first one's settings count."""
        zones: dict[str, RackZone] = {}
        for camera in sorted(cameras):
            for name, zone in layout.zones_of(camera).zones.items():
                if isinstance(zone, RackZone):
                    zones.setdefault(name, zone)
        homes: dict[str, str] = {}
        expected: Counter[str] = Counter()
        for name, rack in sorted(zones.items()):
            expected.update(rack.holds)
            for label in rack.holds:
                homes.setdefault(label, name)
        return cls(zones, homes, dict(expected))


@dataclass(slots=True)
class RackState:
    """What is remembered of the racks of a place."""

    views: dict[str, dict[str, RackView]] = field(default_factory=dict)
    """camera -> rack -> what it sees of it"""
    outside: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    """camera -> label -> zone, or "" -> how many lie or are used outside racks"""
    time: int = 0
    """Up to which `absences` reach."""
    absences: dict[str, Absence] = field(default_factory=dict)
    told: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """rack -> label -> [expected, seen, missing] as told"""
    layout_version: int | None = None
    """That by which they are told."""
    settled: bool = False
    """Nothing is seen nowhere, and nothing has changed for so long that time alone changes nothing."""


def step(
    state: RackState, picture: Picture, watched: int, layout: Layout, racks: Racks, *, evident: bool
) -> list[RackFact | CountFact]:
    """Take a picture into account; `racks` are those of the place.

    `evident`: no camera of the place is dark, so that not to be seen means something.
    """
    if not racks.zones:
        return []
    elapsed = min(watched, picture.time - state.time)
    state.time = picture.time
    changed = state.layout_version != layout.version
    state.layout_version, state.settled = layout.version, state.settled and not changed
    if elapsed and evident and not state.settled and all(_is_clear(state, name) for name in racks.zones):
        changed = _pass_time(state, elapsed, layout, racks) or changed
    views = state.views.setdefault(picture.camera, {})
    for name in racks.zones:
        if name in picture.zones.zones:
            view = views.setdefault(name, RackView())
            seen = view.seen
            changed = _look(view, name, picture, watched, layout) or changed
            state.settled = state.settled and seen == view.seen
    outside, before = _outside(picture), state.outside.get(picture.camera)
    if outside != before:
        state.outside[picture.camera] = outside
        # From one zone to another, by a single camera's picture, it is still seen.
        state.settled = state.settled and len(state.outside) == 1 and _sums(outside) == _sums(before or {})
    return _tell(state, picture.time, layout, racks) if changed else []


def tell_missing(state: RackState, alerts: Alerts, now: int, layout: Layout, racks: Racks) -> list[AlertFact]:
    """Raise and clear the alerts of what is missing."""
    if state.settled and not alerts:
        return []  # nearly always
    if not any(absence.unseen for absence in state.absences.values()) and not any(
        alert.kind == "missing" for alert in alerts.values()
    ):
        return []
    facts: list[AlertFact] = []
    keys = set()
    for label, home in racks.homes.items():
        after = layout.thresholds_in(home).missing_after
        for number in range(1, _missing(state, label, after) + 1):
            subject = f"{home}/{label}/{number}"
            keys.add(f"missing/{subject}")
            alert = OpenAlert("missing", subject, now, zone=home, equipment=label, layout_version=layout.version)
            facts += raise_if_new(alerts, alert, f"{label} seen nowhere for {seconds(after)}")
    for key, alert in sorted(alerts.items()):
        if alert.kind == "missing" and key not in keys:
            facts += clear(alerts, "missing", alert.subject, now, f"{alert.equipment} is seen again")
    return facts


def _look(view: RackView, name: str, picture: Picture, watched: int, layout: Layout) -> bool:
    """Book the time before this picture with what was seen then, and see what is there now.

    Gives whether what is smoothed may have changed.
    """
    changed = False
    if view.clear and watched:
        window = layout.thresholds_in(name).rack_window
        for label, smoothed in view.smoothed.items():
            changed = smoothed.add(view.seen.get(label, 0), watched, window) or changed
    view.clear = _has_nobody_before(picture.zones.polygons[name].bounds, picture)
    if view.clear:
        view.seen = {}
        for kit in picture.kit_in.get(name, ()):
            if kit.home == name:
                view.seen[kit.label] = view.seen.get(kit.label, 0) + 1
        zone = picture.zones.zones[name]
        for label in (*view.seen, *(zone.holds if isinstance(zone, RackZone) else ())):
            if label not in view.smoothed:
                view.smoothed[label] = Smoothed()
    return changed


def _has_nobody_before(bounds: Box, picture: Picture) -> bool:
    left, _, right, _ = bounds
    for person in picture.people:
        # Most stand beside it, which is quickly known.
        if person.box[0] <= right and left <= person.box[2] and overlap(person.box, bounds) >= 0:
            return False
    return True


def _outside(picture: Picture) -> dict[str, dict[str, int]]:
    """Label -> zone -> how many are not in a rack or on show."""
    outside: dict[str, dict[str, int]] = {}
    for kit in picture.kit:
        if kit.home is None:
            zone = kit.zones[0] if kit.zones else ""
            zones = outside.get(kit.label)
            if zones is None:
                outside[kit.label] = {zone: 1}
            else:
                zones[zone] = zones.get(zone, 0) + 1
    return outside


def _sums(outside: dict[str, dict[str, int]]) -> dict[str, int]:
    """How many of each label there are in all zones."""
    return {label: sum(zones.values()) for label, zones in outside.items()}


def _is_clear(state: RackState, rack: str) -> bool:
    """Whether some camera saw the rack with nobody before it."""
    return any(rack in views and views[rack].clear for views in state.views.values())


def _pass_time(state: RackState, elapsed: int, layout: Layout, racks: Racks) -> bool:
    """Let time pass for what is seen nowhere; gives whether something is."""
    lacks, settled = False, True
    for label, home in racks.homes.items():
        seen = sum(
            max((views[name].seen.get(label, 0) for views in state.views.values() if name in views), default=0)
            for name in racks.zones
        )
        zones = {zone for found in state.outside.values() for zone in found.get(label, ())}
        seen += sum(max(found.get(label, {}).get(zone, 0) for found in state.outside.values()) for zone in zones)
        absence = state.absences.setdefault(label, Absence())
        settled = not absence.seen.add(seen, elapsed, FLICKER_MS) and settled
        steady = absence.seen.median(FLICKER_MS)
        lacking = 0 if steady is None else max(0, racks.expected[label] - steady)
        limit = layout.thresholds_in(home).missing_after
        before = absence.unseen
        if not lacking and not before:
            continue
        absence.unseen = [
            min(limit, (absence.unseen[number] if number < len(absence.unseen) else 0) + elapsed)
            for number in range(lacking)
        ]
        lacks = lacks or bool(before or absence.unseen)
    state.settled = settled and not lacks
    return lacks


def _tell(state: RackState, now: int, layout: Layout, racks: Racks) -> list[RackFact | CountFact]:
    """What changed of what is seen and missing in each rack."""
    facts: list[RackFact | CountFact] = []
    for name, rack in racks.zones.items():
        told = state.told.setdefault(name, {})
        window = layout.thresholds_in(name).rack_window
        views = [views[name] for views in state.views.values() if name in views]
        labels: Iterable[str] = (
            views[0].smoothed if len(views) == 1 else {x: 0 for view in views for x in view.smoothed}
        )
        for label in labels:
            medians = [view.smoothed[label].median(window) for view in views if label in view.smoothed]
            known = [median for median in medians if median is not None]
            if not known:
                continue
            seen, expected = max(known), rack.holds.get(label, 0)
            after = layout.thresholds_in(name).missing_after
            missing = min(max(0, expected - seen), _missing(state, label, after)) if expected else 0
            before = told.get(label)
            if before == [expected, seen, missing]:
                continue
            told[label] = [expected, seen, missing]
            if expected:
                facts.append(RackFact(name, label, expected, seen, missing, now))
            if before is None or before[1] != seen:
                facts.append(CountFact(name, label, seen, now))
    return facts


def _missing(state: RackState, label: str, after: int) -> int:
    absence = state.absences.get(label)
    return sum(duration >= after for duration in absence.unseen) if absence is not None else 0
