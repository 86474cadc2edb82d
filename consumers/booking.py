"""Turns the facts of a site into what is stored and published: rows, figures, events, and retained topics.

A book remembers what the database has of the site (open sessions, open alerts, what is retained), so that a fact
changes only what it changes. Like all else in memory it is thrown away after any doubt and read again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers import retained
from consumers.changes import Changes, alert_row, rack_row, session_row
from consumers.facts import AlertFact, CountFact, Fact, IdentifiedFact, QueueFact, RackFact, SessionFact, WatchedFact
from consumers.figures import Counted, SiteFigures
from consumers.interpreter import Interpreter
from consumers.layout import Layout
from consumers.rules.alerts import Alerts
from consumers.upkeep import UnitHours, Upkeep
from consumers.view import to_time
from spotter import topics
from spotter.database.rollups import FigureChanges
from spotter.events import Candidate, EquipmentState, Identified


@dataclass(slots=True)
class SiteMemory:
    """What the database has of a site."""

    open_sessions: dict[str, Counted] = field(default_factory=dict)
    open_alerts: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """id -> (kind, equipment)"""
    watched: dict[tuple[str, int], int] = field(default_factory=dict)
    """(camera, hour) -> milliseconds"""
    retained: dict[str, bytes] = field(default_factory=dict)
    """topic -> payload"""
    in_service: frozenset[str] = frozenset()
    """Units that are being serviced."""
    due: Alerts = field(default_factory=dict)
    """Open `maintenance_due` alerts."""
    hours: dict[str, UnitHours] = field(default_factory=dict)
    """unit -> its use since its last service"""


class Book:
    """The book of one site under one layout."""

    def __init__(self, interpreter: Interpreter, memory: SiteMemory) -> None:
        self._interpreter = interpreter
        self._layout: Layout = interpreter.layout
        self._site = self._layout.site
        self._memory = memory
        self._figures = SiteFigures(self._layout, memory.open_sessions, memory.watched)
        self._upkeep = Upkeep(self._layout, memory.due, memory.hours)
        self._labels = retained.kit_labels(self._layout)
        self._units_in_use = {c.key.unit: i for i, c in memory.open_sessions.items() if c.key.unit}

    def begin(self, changes: Changes) -> None:
        """Retain what the layout calls for, and let go of what belongs to units and zones that are no more."""
        memory = self._memory
        now = max((place.state.time or 0 for place in self._interpreter.places.values()), default=0)
        for alert in self._upkeep.orphans(now):
            self._book_alert(alert, changes)
        for topic in [topic for topic in memory.retained if topic.startswith(f"{topics.ROOT}/")]:
            if not retained.belongs(topic, self._layout):
                self._retain(topic, None, changes)
        counts = {pair for topic in memory.retained if (pair := retained.counted(topic)) is not None}
        wanted = retained.discovery(self._layout, counts)
        for topic, payload in wanted.items():
            self._retain(topic, payload, changes)
        for topic in [topic for topic in memory.retained if not topic.startswith(f"{topics.ROOT}/")]:
            if topic not in wanted:
                self._retain(topic, None, changes)
        if self._layout.version:
            for kind in retained.alert_kinds():
                self._retain_open_alerts(kind, changes)
        self.refresh_states(changes)

    def refresh_states(self, changes: Changes) -> None:
        """Retain the states of all kit, and of the units that have one: a person may have changed it."""
        for label in sorted(self._labels):
            self._retain_kit(label, changes)
        for unit in self._layout.stations:
            if topics.equipment_state(self._site, unit) in self._memory.retained:
                self._retain_unit(unit, changes)

    def take_over(self, memory: SiteMemory, changes: Changes) -> None:
        """Follow what people did since: services, and the alerts that they ended."""
        self._memory.in_service = memory.in_service
        self._memory.open_alerts = memory.open_alerts
        self._upkeep = Upkeep(self._layout, memory.due, memory.hours)
        self._memory.due, self._memory.hours = memory.due, memory.hours
        for kind in retained.alert_kinds():
            self._retain_open_alerts(kind, changes)
        self.refresh_states(changes)

    def book(self, facts: list[Fact], changes: Changes) -> None:
        """Add to `changes` all that follows from facts, in their order."""
        for fact in facts:
            if isinstance(fact, SessionFact):
                self._book_session(fact, changes)
            elif isinstance(fact, WatchedFact):
                self._figures.watched(fact, self._figures_of(changes))
            elif isinstance(fact, AlertFact):
                self._book_alert(fact, changes)
            elif isinstance(fact, CountFact):
                self._book_count(fact, changes)
            elif isinstance(fact, QueueFact):
                self._figures.queue(fact, self._figures_of(changes))
            elif isinstance(fact, IdentifiedFact):
                changes.events.append((topics.identified(self._site, fact.camera), _identified(fact).to_json()))
            elif isinstance(fact, RackFact):
                row = rack_row(self._site, fact)
                changes.racks[row["site"], row["zone"], row["label"], row["at"]] = row
            else:
                self._retain_unit(fact.unit, changes)

    def _book_session(self, fact: SessionFact, changes: Changes) -> None:
        row = session_row(self._site, fact)
        identity = str(row["id"])
        changes.sessions[identity] = row
        changes.events.append((topics.usage(self._site, fact.equipment), self._interpreter.event(fact).to_json()))
        before = self._memory.open_sessions.get(identity)
        self._figures.session(identity, fact, self._figures_of(changes))
        if fact.unit is not None:
            if fact.ended is None:
                self._units_in_use[fact.unit] = identity
            else:
                self._units_in_use.pop(fact.unit, None)
            self._retain_unit(fact.unit, changes)
            begin = before.end if before is not None else fact.started
            for alert in self._upkeep.use(fact.unit, begin, fact.last):
                self._book_alert(alert, changes)
        else:
            for label in {fact.equipment, before.key.equipment if before is not None else fact.equipment}:
                self._retain_kit(label, changes)
        changes.told |= {(self._site, camera) for camera in fact.cameras}

    def _book_alert(self, fact: AlertFact, changes: Changes) -> None:
        event = self._interpreter.alert(fact)
        identity = str(event.alert)
        row = alert_row(event, to_time(fact.raised), fact.layout_version)
        known = changes.alerts.get(identity)
        if known is not None and fact.type == "cleared":
            row["detail"] = known["detail"]
        changes.alerts[identity] = row
        changes.events.append((topics.alert(self._site, fact.kind), event.to_json()))
        if fact.type == "raised":
            self._memory.open_alerts[identity] = (fact.kind, fact.equipment)
        else:
            self._memory.open_alerts.pop(identity, None)
        self._retain_open_alerts(fact.kind, changes)
        if fact.equipment is not None:
            self._retain_kit(fact.equipment, changes)
        changes.alerted.add(self._site)

    def _book_count(self, fact: CountFact, changes: Changes) -> None:
        topic = topics.count(self._site, fact.zone, fact.label)
        if topic not in self._memory.retained and self._layout.version:
            for config, payload in retained.count_entities(self._layout, fact.zone, fact.label).items():
                self._retain(config, payload, changes)
        self._retain(topic, str(fact.count).encode(), changes)

    def _retain_open_alerts(self, kind: str, changes: Changes) -> None:
        count = sum(known == kind for known, _ in self._memory.open_alerts.values())
        self._retain(topics.open_alerts(self._site, kind), str(count).encode(), changes)

    def _retain_unit(self, unit: str, changes: Changes) -> None:
        state: EquipmentState = "in_use" if unit in self._units_in_use else "free"
        if unit in self._memory.in_service:
            state = "maintenance"
        self._retain(topics.equipment_state(self._site, unit), state.encode(), changes)

    def _retain_kit(self, label: str, changes: Changes) -> None:
        """Pieces of a kind can't be told apart: their state is the one that calls most for somebody to look."""
        if label not in self._labels:
            return
        alerts = {kind for kind, equipment in self._memory.open_alerts.values() if equipment == label}
        in_use = any(c.key.equipment == label and not c.key.unit for c in self._memory.open_sessions.values())
        state: EquipmentState = "in_use" if in_use else "free"
        if "missing" in alerts:
            state = "missing"
        elif alerts & {"left_out", "walkway"}:
            state = "left_out"
        self._retain(topics.equipment_state(self._site, label), state.encode(), changes)

    def _retain(self, topic: str, payload: bytes | None, changes: Changes) -> None:
        """Have the broker retain a payload under a topic, or (None) nothing any more."""
        known = self._memory.retained
        if known.get(topic) == payload:
            return
        if payload is None:
            del known[topic]
        else:
            known[topic] = payload
        changes.retained[self._site, topic] = payload

    def _figures_of(self, changes: Changes) -> FigureChanges:
        figures = changes.figures.get(self._site)
        if figures is None:
            figures = changes.figures[self._site] = FigureChanges(self._figures.zone)
        return figures


def _identified(fact: IdentifiedFact) -> Identified:
    return Identified(
        state=fact.state,
        label=fact.label,
        confidence=fact.confidence,
        nearest=tuple(Candidate(label=label, confidence=confidence) for label, confidence in fact.nearest),
        time=to_time(fact.time),
    )
