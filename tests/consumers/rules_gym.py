"""The gym of the rules' tests, and what they compare: sessions in seconds from the start."""

from __future__ import annotations

from consumers.replay import Interpretation, interpret
from spotter.events import seconds_between
from spotter.settings import Settings

from .scenes import START, Film

ZONES = """
site: gym
cameras:
  cam:
    uri: clip.mp4
    zones:
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.0, 0.5], [0.3, 0.5], [0.3, 1.0], [0.0, 1.0]]}
      rack-a: {kind: rack, holds: {kettlebell: 4}, polygon: [[0.8, 0.3], [1.0, 0.3], [1.0, 0.6], [0.8, 0.6]]}
      mats: {kind: floor, polygon: [[0.3, 0.6], [0.8, 0.6], [0.8, 1.0], [0.3, 1.0]]}
"""

ON, OFF = (0.15, 0.9), (0.6, 0.9)
"""Places for feet: on the treadmill, and elsewhere."""


def summary(result: Interpretation) -> list[tuple[str, float, float | None, str | None]]:
    """(unit or label, start, end, ended_by), in seconds."""
    return [
        (
            session.unit or session.equipment,
            seconds_between(START, session.started),
            None if session.ended is None else seconds_between(START, session.ended),
            session.ended_by,
        )
        for session in result.sessions
    ]


def of(film: Film, settings: Settings) -> list[tuple[str, float, float | None, str | None]]:
    return summary(interpret(film.end(), settings))


def active(film: Film, settings: Settings) -> list[float]:
    return [session.active_seconds for session in interpret(film.end(), settings).sessions]
