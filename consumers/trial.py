"""Interprets a log twice, by the settings and by other thresholds, and says what would change."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from consumers.replay import Interpretation, closed
from consumers.truth import Subject, matched
from consumers.view import to_ms
from spotter.errors import SettingsError
from spotter.events import UsageSession, describe
from spotter.settings import Settings

SAME_MS = 100
"""Sessions of which both ends lie nearer together than this did not change."""


@dataclass(frozen=True, slots=True)
class Change:
    """A session that would not be as it is. Gained: only `after`; lost: only `before`; else both."""

    kind: Literal["gained", "lost", "longer", "shorter", "moved"]
    before: UsageSession | None
    after: UsageSession | None
    seconds: float
    """By how much it would be longer (or shorter, below zero)."""


@dataclass(slots=True)
class Difference:
    """Before and after, for one unit or label."""

    sessions: tuple[int, int]
    seconds: tuple[float, float]
    """From start to end, summed."""
    changes: list[Change] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """How many changes are of a kind."""
        return sum(change.kind == kind for change in self.changes)


@dataclass(slots=True)
class Trial:
    """What other thresholds would change."""

    subjects: dict[Subject, Difference]
    alerts: dict[str, tuple[int, int]]
    """kind -> alerts raised, before and after"""


def with_thresholds(settings: Settings, assignments: tuple[str, ...]) -> Settings:
    """The settings with thresholds as in `name=value`, or `zone.name=value` for one zone.

    Raises SettingsError for a name that is none, a zone that is not there, or a value that is not allowed.
    """
    rules = settings.rules
    cameras = dict(settings.cameras)
    for assignment in assignments:
        left, equals, text = assignment.partition("=")
        zone, _, name = left.strip().rpartition(".")
        if not equals:
            raise SettingsError(f"--set {assignment}: write it as NAME=VALUE, such as leave_after=30")
        value = _number(assignment, text)
        if not zone:
            rules = _changed(assignment, rules, name, value)
            continue
        found = [camera for camera, one in cameras.items() if zone in one.zones]
        if not found:
            known = sorted({zone for one in cameras.values() for zone in one.zones})
            raise SettingsError(f"--set {assignment}: there is no zone {zone}{_meant(zone, known)}")
        for camera in found:
            zones = dict(cameras[camera].zones)
            own = _changed(assignment, zones[zone].rules, name, value)
            zones[zone] = zones[zone].model_copy(update={"rules": own})
            cameras[camera] = cameras[camera].model_copy(update={"zones": zones})
    return settings.model_copy(update={"rules": rules, "cameras": cameras})


def differences(before: Interpretation, after: Interpretation) -> Trial:
    """What changed between two interpretations of one log."""
    sessions: dict[Subject, tuple[list[UsageSession], list[UsageSession]]] = defaultdict(lambda: ([], []))
    for side, result in ((0, before), (1, after)):
        for session in result.sessions:
            sessions[session.equipment, session.unit][side].append(closed(session, result))
    subjects = {
        subject: _difference(*both)
        for subject, both in sorted(sessions.items(), key=lambda pair: (pair[0][0], pair[0][1] or ""))
    }
    raised = [Counter(alert.kind for alert in result.alerts if alert.type == "raised") for result in (before, after)]
    return Trial(subjects, {kind: (raised[0][kind], raised[1][kind]) for kind in sorted({*raised[0], *raised[1]})})


def _difference(before: list[UsageSession], after: list[UsageSession]) -> Difference:
    pairs = matched([[_interval(session)] for session in before], [[_interval(session)] for session in after])
    kept, found = {i for i, _ in pairs}, {j for _, j in pairs}
    changes = [Change("lost", one, None, -_seconds(one)) for i, one in enumerate(before) if i not in kept]
    changes += [Change("gained", None, one, _seconds(one)) for j, one in enumerate(after) if j not in found]
    for i, j in pairs:
        (start, end), (new_start, new_end) = _interval(before[i]), _interval(after[j])
        if max(abs(start - new_start), abs(end - new_end)) < SAME_MS:
            continue
        seconds = _seconds(after[j]) - _seconds(before[i])
        kind: Literal["longer", "shorter", "moved"] = "moved"
        if abs(seconds) * 1000 >= SAME_MS:
            kind = "longer" if seconds > 0 else "shorter"
        changes.append(Change(kind, before[i], after[j], seconds))
    changes.sort(key=lambda change: min(_interval(one)[0] for one in (change.before, change.after) if one is not None))
    return Difference(
        (len(before), len(after)), (sum(map(_seconds, before), 0.0), sum(map(_seconds, after), 0.0)), changes
    )


def _changed(assignment: str, rules: Any, name: str, value: float) -> Any:
    known = [key for key in type(rules).model_fields if key != "service_after"]
    if name not in known:
        raise SettingsError(f"--set {assignment}: there is no threshold {name}{_meant(name, known)}")
    try:
        return type(rules).model_validate({**rules.model_dump(exclude_unset=True), name: value})
    except ValidationError as error:
        raise SettingsError(f"--set {assignment}: {describe(error)}") from error


def _number(assignment: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise SettingsError(f"--set {assignment}: {text.strip() or 'nothing'} is no number") from error


def _meant(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}" if known else ""


def _interval(session: UsageSession) -> tuple[int, int]:
    assert session.ended is not None
    return to_ms(session.started), to_ms(session.ended)


def _seconds(session: UsageSession) -> float:
    start, end = _interval(session)
    return (end - start) / 1000
