"""What the kiosk says of the demo's clip, from what the shipped detector saw of it.

`kiosk/demo.jsonl` is written by `spotter record --config spotter/demo/gym.yaml --camera kiosk --start
2026-01-01T00:00:00Z --out tests/truth/kiosk/demo.jsonl`.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from consumers.facts import IdentifiedFact
from consumers.interpreter import Interpreter
from consumers.layout import layout_of_settings
from consumers.scene_log import read_scenes
from consumers.view import seconds_to_ms, to_ms, view_of
from spotter import events
from spotter.settings import load

DEMO = Path(events.__file__).parent / "demo"
LOG = Path(__file__).parent / "kiosk" / "demo.jsonl"

LATEST_MS = 1000
"""After an item is held still, its card is there."""


class Held(NamedTuple):
    """An item that was really held still. Times in milliseconds since 1970."""

    label: str
    start: int
    end: int


@pytest.fixture(scope="module")
def held() -> list[Held]:
    truth = json.loads((DEMO / "kiosk.truth.json").read_text(encoding="utf-8"))
    begin = to_ms(datetime.fromisoformat(truth["start"].replace("Z", "+00:00")))
    times = [
        (one["label"], begin + seconds_to_ms(one["start"]), begin + seconds_to_ms(one["end"])) for one in truth["held"]
    ]
    return [Held(*one) for one in times]


@pytest.fixture(scope="module")
def told() -> list[IdentifiedFact]:
    interpreter = Interpreter(layout_of_settings(load(DEMO / "gym.yaml")))
    facts = [fact for scene in read_scenes(LOG) for fact in interpreter.feed(view_of(scene))]
    return [fact for fact in facts if isinstance(fact, IdentifiedFact)]


def test_nothing_is_recognised_under_a_wrong_name(held: list[Held], told: list[IdentifiedFact]) -> None:
    for fact in told:
        if fact.state == "recognised":
            latest = max((item for item in held if item.start - LATEST_MS <= fact.time), key=lambda item: item.start)
            assert fact.label == latest.label


def test_a_card_comes_within_a_second_of_holding_still(held: list[Held], told: list[IdentifiedFact]) -> None:
    cards = {fact.label: fact.time for fact in reversed(told) if fact.state == "recognised"}
    for item in held:
        assert cards[item.label] - item.start <= LATEST_MS


def test_after_each_item_there_is_none(held: list[Held], told: list[IdentifiedFact]) -> None:
    away = [fact.time for fact in told if fact.state == "none"]
    assert len(away) == len(held)
    assert all(item.end <= time for item, time in zip(held, away, strict=True))
    assert told[-1].state == "none"
