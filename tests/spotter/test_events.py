"""The event contract: round trips, the examples of the design, and what is refused."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter import contract, events
from spotter.errors import ContractError

names = st.from_regex(events.NAME_PATTERN, fullmatch=True).filter(lambda name: not name.endswith("\n"))
times = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2098, 1, 1),  # noqa: DTZ001
    timezones=st.just(timezone(timedelta(hours=9))),
)
fractions = st.floats(0, 1)
boxes = st.tuples(fractions, fractions, fractions, fractions).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
objects = st.builds(
    events.SceneObject,
    id=st.text(min_size=1, max_size=64),
    label=names,
    score=fractions,
    box=boxes,
    moving=st.booleans(),
    since=times,
)


@st.composite
def scenes(draw: st.DrawFn) -> events.Scene:
    seq = draw(st.integers(0, 2**62))
    picture = draw(st.booleans())
    return events.Scene(
        site=draw(names),
        camera=draw(names),
        stream=draw(names),
        seq=seq,
        floor=draw(st.integers(0, seq)),
        time=draw(times),
        frame=draw(st.tuples(st.integers(1, 8000), st.integers(1, 8000))),
        picture=picture,
        objects=draw(st.lists(objects, max_size=4)) if picture else (),
    )


candidates = st.builds(events.Candidate, label=names, confidence=fractions)
every_event = st.one_of(
    scenes(),
    st.builds(events.Committed, stream=names, seq=st.integers(0, 2**62)),
    st.builds(events.Status, time=times, reason=st.none() | st.text(max_size=500)),
    st.builds(events.PreviewRequest, seconds=st.floats(0.1, 300)),
    st.builds(
        events.UsageSession,
        site=names,
        equipment=names,
        unit=st.none() | names,
        zone=st.none() | names,
        cameras=st.lists(names, max_size=3),
        started=times,
        ended=st.none() | times,
        active_seconds=st.floats(0, 1e6),
        confidence=fractions,
    ),
    st.builds(events.Alert, site=names, camera=names, zone=names, unit=names, equipment=names, time=times),
    st.builds(
        events.Identified, label=names, confidence=fractions, nearest=st.lists(candidates, max_size=2), time=times
    ),
)


@given(every_event)
def test_every_event_survives_the_wire_and_fits_its_schema(event: events.Event) -> None:
    wire = event.to_json()
    assert events.parse(type(event), wire) == event
    jsonschema.validate(json.loads(wire), contract.json_schema(type(event)))


def scene(**changes: object) -> dict[str, object]:
    return {
        "schema": "spotter.scene/1",
        "site": "downtown",
        "camera": "free-weights",
        "stream": "01KAMR3Q8S4Z",
        "seq": 1234,
        "floor": 1198,
        "time": "2026-11-22T18:00:00.123Z",
        "frame": [1280, 720],
        "objects": [
            {
                "id": "k3f9-17",
                "label": "kettlebell",
                "score": 0.83,
                "box": [0.41, 0.62, 0.47, 0.74],
                "moving": False,
                "since": "2026-11-22T17:58:02.000Z",
            }
        ],
        **changes,
    }


def test_the_designs_scene_is_written_as_it_is_read() -> None:
    document = scene()
    assert json.loads(events.parse(events.Scene, json.dumps(document)).to_json()) == document


def test_picture_is_stated_only_when_there_is_none() -> None:
    blind = events.parse(events.Scene, json.dumps(scene(picture=False, objects=[])))
    assert json.loads(blind.to_json())["picture"] is False


def test_unknown_fields_are_ignored() -> None:
    assert events.parse(events.Scene, json.dumps(scene(mood="bright"))).seq == 1234


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"schema": "spotter.scene/2"}, "schema"),
        ({"seq": -1}, "seq"),
        ({"seq": "many"}, "seq"),
        ({"floor": 2000}, "floor is above seq"),
        ({"time": "2026-11-22T18:00:00"}, "time"),
        ({"time": "soon"}, "time"),
        ({"frame": [0, 720]}, "frame"),
        ({"site": "a/b"}, "site"),
        ({"site": "a\n"}, "site"),
        ({"camera": "#"}, "camera"),
        ({"objects": [{**scene()["objects"][0], "box": [0.4, 0.6, 1.2, 0.7]}]}, "box"),  # type: ignore[index]
        ({"objects": [{**scene()["objects"][0], "box": [0.5, 0.6, 0.4, 0.7]}]}, "box"),  # type: ignore[index]
        ({"objects": [{**scene()["objects"][0], "score": 1.5}]}, "score"),  # type: ignore[index]
        ({"picture": False}, "picture"),
    ],
)
def test_what_the_contract_refuses_is_named_by_its_place(changes: dict[str, object], place: str) -> None:
    with pytest.raises(ContractError, match=place) as caught:
        events.parse(events.Scene, json.dumps(scene(**changes)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("payload", [b"", b"{", b"null", b"[]", b"\xff\xfe", b'"spotter.scene/1"'])
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(ContractError):
        events.parse(events.Scene, payload)


def test_a_refusal_does_not_repeat_the_payload() -> None:
    with pytest.raises(ContractError) as caught:
        events.parse(events.Scene, json.dumps(scene(site="secret/../../etc")))
    assert "secret" not in str(caught.value)


def test_a_session_id_follows_from_what_it_is_about() -> None:
    started = datetime(2026, 11, 22, 18, tzinfo=timezone.utc)
    same = events.usage_session_id("downtown", "treadmill-1", started.astimezone(timezone(timedelta(hours=9))))
    assert events.usage_session_id("downtown", "treadmill-1", started) == same
    assert events.usage_session_id("downtown", "treadmill-2", started) != same
    assert events.usage_session_id("uptown", "treadmill-1", started) != same
