"""The layout pages: versions with who and when, zones that are checked before they are kept, and going back."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from dashboard.layouts.documents import changes, crosses
from spotter.database import layouts
from spotter.database.people_tables import AuditRow

from .gym import AuthActions, Gym
from .people import browser, post

SQUARE = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4], [0.1, 0.4]]
MILL = {"kind": "station", "equipment": "treadmill", "polygon": SQUARE}


def put(client: FlaskClient, zones: Any, version: int = 0, camera: str = "free-weights") -> TestResponse:
    headers = {"X-CSRFToken": AuthActions(client).token("/account")}
    return client.put(f"/layout/{camera}", json={"version": version, "zones": zones}, headers=headers)


def newest(gym: Gym) -> layouts.StoredLayout | None:
    with gym.engine.connect() as connection:
        return layouts.newest(connection, gym.site)


def test_what_is_drawn_is_kept_as_versions_and_can_be_gone_back_to(gym: Gym, signed_in: FlaskClient) -> None:
    assert "None yet" in signed_in.get("/layout").text
    first = put(signed_in, {"mill-1": MILL})
    assert (first.status_code, first.json) == (200, {"version": 1})
    assert put(signed_in, {"mill-1": MILL}, 1).json == {"version": 1}  # changes nothing
    rack = {"kind": "rack", "holds": {"kettlebell": 4}, "polygon": SQUARE, "rules": {"missing_after": 30}}
    assert put(signed_in, {"rack": rack}, 1).json == {"version": 2}
    kept = newest(gym)
    assert kept is not None
    assert (kept.source, kept.created_by) == ("dashboard", "Olga")
    zone = kept.document["cameras"]["free-weights"]["rack"]
    assert (zone["holds"], zone["rules"]) == ({"kettlebell": 4}, {"missing_after": 30})
    assert kept.document["cameras"]["kiosk"] == {}
    page = signed_in.get("/layout").text
    assert "gone: mill-1 on free-weights" in page
    assert "new: rack on free-weights" in page
    assert post(signed_in, "/layout/versions/1/restore").headers["Location"] == "/layout"
    kept = newest(gym)
    assert kept is not None
    assert (kept.version, list(kept.document["cameras"]["free-weights"])) == (3, ["mill-1"])
    post(signed_in, "/layout/versions/3/restore")
    assert "already" in signed_in.get("/layout").text
    assert post(signed_in, "/layout/versions/9/restore").status_code == 404
    with Session(gym.engine) as session:
        done = [row.action for row in session.query(AuditRow) if row.action.startswith("layout_")]
    assert done == ["layout_saved", "layout_saved", "layout_saved", "layout_restored"]


def test_who_saves_second_is_told_by_whom(app: Flask, gym: Gym, signed_in: FlaskClient) -> None:
    put(signed_in, {"mill-1": MILL})
    answer = put(signed_in, {})
    assert answer.status_code == 409
    assert "Olga saved version 1 meanwhile" in answer.json["problems"][0]  # type: ignore[index]
    kept = newest(gym)
    assert kept is not None
    assert kept.version == 1


@pytest.mark.parametrize(
    ("zones", "said"),
    [
        ({"mill": {**MILL, "polygon": SQUARE[:2]}}, "mill: polygon"),
        ({"mill": {**MILL, "polygon": [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]}}, "no area"),
        ({"mill": {**MILL, "polygon": [[0.1, 0.1], [1.4, 0.1], [0.4, 0.4]]}}, "mill: polygon"),
        ({"mill": {**MILL, "polygon": [SQUARE[0], SQUARE[2], SQUARE[1], [0.1, 0.3]]}}, "edges cross"),
        ({"Mill 1": MILL}, "Mill 1"),
        ({"mill": {"kind": "pool", "polygon": SQUARE}}, "mill"),
        ({"mill": {"kind": "station", "polygon": SQUARE}}, "equipment"),
        ({"rack": {"kind": "rack", "holds": {"kettlebell": 0}, "polygon": SQUARE}}, "holds"),
        ({"a": {**MILL, "unit": "m"}, "b": {**MILL, "unit": "m", "equipment": "bench"}}, "two kinds"),
        ({"line": {"kind": "waiting", "for": ["mill-9"], "polygon": SQUARE}}, "no unit mill-9"),
        ({"mill": "nothing"}, "mill"),
        ("nothing", "not understood"),
    ],
)
def test_zones_that_cannot_be_are_refused_in_words(gym: Gym, signed_in: FlaskClient, zones: Any, said: str) -> None:
    answer = put(signed_in, zones)
    assert answer.status_code == 422
    assert said in " ".join(answer.json["problems"])  # type: ignore[index]
    assert newest(gym) is None


def test_a_name_that_cannot_be_is_refused_in_the_readers_language(gym: Gym, signed_in: FlaskClient) -> None:
    signed_in.get("/language/ko")
    rack = {"kind": "rack", "holds": {"케틀벨": 4}, "polygon": SQUARE}
    answer = put(signed_in, {"벤치": MILL, "mill": {**MILL, "unit": "1번"}, "rack": rack})
    problems = answer.json["problems"]  # type: ignore[index]
    assert {one.split(" ")[0] for one in problems} == {"벤치:", "mill:", "rack:"}
    assert all("영문자" in one and "64자" in one for one in problems), problems


def test_a_name_on_two_cameras_is_one_kind(gym: Gym, signed_in: FlaskClient) -> None:
    put(signed_in, {"corner": MILL})
    walkway = {"corner": {"kind": "walkway", "polygon": SQUARE}}
    answer = put(signed_in, walkway, 1, "kiosk")
    assert (answer.status_code, "another kind" in answer.text) == (422, True)
    assert put(signed_in, {"corner": MILL}, 1, "kiosk").status_code == 200


def test_who_may_what(app: Flask, gym: Gym) -> None:
    trainer = browser(app, gym, "trainer")
    assert "an owner can save" in trainer.get("/layout/kiosk").text
    assert put(trainer, {"mill-1": MILL}).status_code == 403
    assert trainer.get("/layout/nothing").status_code == 404
    assert put(browser(app, gym, "owner"), {}, camera="nothing").status_code == 404


def test_crossing_and_changes() -> None:
    assert not crosses(((0, 0), (1, 0), (1, 1), (0, 1)))
    assert not crosses(((0, 0), (1, 0), (0.5, 0.5), (1, 1), (0, 1)))  # dented
    assert crosses(((0, 0), (1, 1), (1, 0), (0, 1)))
    before = {"cameras": {"a": {"x": {"kind": "floor"}, "y": {}}}, "rules": {}}
    after = {"cameras": {"a": {"x": {"kind": "walkway"}}, "b": {"z": {}}}, "rules": {"reach": 1}}
    assert changes(before, after) == [
        ("changed", "a", "x"), ("removed", "a", "y"), ("added", "b", "z"), ("changed", "", ""),
    ]  # fmt: skip
