"""Reviewing sessions: what a trainer may say of one, how figures follow, and taking it back."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from spotter.database import rollups
from spotter.database.figure_tables import UnitDayRow
from spotter.database.people_tables import AuditRow
from spotter.database.tables import UsageSessionRow

from .gym import Gym
from .people import browser, only, post

BERLIN = ZoneInfo("Europe/Berlin")


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 20, hour, minute, tzinfo=BERLIN)


@pytest.fixture
def trainer(app: Flask, gym: Gym) -> FlaskClient:
    return browser(app, gym, "trainer")


def seen(client: FlaskClient, session: str) -> str:
    found = re.search(r'name="seen" value="(\w+)"', client.get(f"/sessions/{session}").text)
    assert found is not None
    return found[1]


def minutes(gym: Gym) -> dict[str, int]:
    with Session(gym.engine) as session:
        return {row.equipment: row.in_use_ms // 60_000 for row in session.query(UnitDayRow)}


def count(gym: Gym) -> None:
    with gym.engine.begin() as connection:
        rollups.rebuild(connection, gym.site, BERLIN)


def last(gym: Gym) -> str:
    with Session(gym.engine) as session:
        row = session.query(AuditRow).order_by(AuditRow.id.desc()).first()
        assert row is not None
        return str(row.action)


def test_another_label_changes_the_figures_at_once_and_can_be_taken_back(gym: Gym, trainer: FlaskClient) -> None:
    session = gym.session("kettlebell", at(18), 12)
    count(gym)
    answer = post(trainer, f"/sessions/{session}/relabel", equipment="med_ball", seen=seen(trainer, session))
    assert answer.headers["Location"] == f"/sessions/{session}"
    assert (minutes(gym), last(gym)) == ({"med_ball": 12}, "session_relabel")
    page = trainer.get(f"/sessions/{session}").text
    assert "Your last correction: Kettlebell at 18:00:00 was something else." in page
    number = re.search(r"/sessions/corrections/(\d+)/undo", page)
    assert number is not None
    assert post(trainer, number[0]).headers["Location"] == f"/sessions/{session}"
    assert (minutes(gym), last(gym)) == ({"kettlebell": 12}, "session_undo")
    assert "taken back by Tom" in trainer.get("/sessions/corrections").text
    post(trainer, number[0])
    assert "taken back already" in trainer.get("/sessions/corrections").text


def test_no_use_two_and_one(gym: Gym, trainer: FlaskClient) -> None:
    first, second = gym.session("kettlebell", at(18), 10), gym.session("kettlebell", at(18, 11), 5)
    mistake = gym.session("kettlebell", at(19), 2)
    count(gym)
    assert post(trainer, f"/sessions/{mistake}/discard").headers["Location"] == f"/sessions/{second}"
    assert minutes(gym) == {"kettlebell": 15}
    assert trainer.get(f"/sessions/{mistake}").status_code == 404
    for step in ("discard", "split", "right"):  # by another trainer, who still has its page open
        assert post(trainer, f"/sessions/{mistake}/{step}").headers["Location"] == "/sessions/review"
        assert "somebody corrected it meanwhile" in trainer.get("/sessions/review", follow_redirects=True).text
    assert f'<option value="{second}">18:11:00' in trainer.get(f"/sessions/{first}").text
    post(trainer, f"/sessions/{first}/merge", following=second)
    assert minutes(gym) == {"kettlebell": 16}
    post(trainer, f"/sessions/{first}/split", at="18:04:30")
    rows = sorted(only(gym, UsageSessionRow), key=lambda row: row.started_at)
    assert [row.started_at for row in rows] == [at(18), at(18, 4) + timedelta(seconds=30)]
    assert minutes(gym) == {"kettlebell": 16}


def test_what_is_not_possible_is_said(gym: Gym, trainer: FlaskClient) -> None:
    running = gym.session("kettlebell", datetime.now(timezone.utc) - timedelta(minutes=5), None)
    mill = gym.session("treadmill", at(17), unit="treadmill-1")
    bell = gym.session("kettlebell", at(23, 50), 20)
    assert "It still runs" in trainer.get(f"/sessions/{running}").text
    for session, step, fields, said in (
        (running, "discard", {}, "It still runs"),
        (mill, "relabel", {"equipment": "kettlebell"}, "change the layout instead"),
        (bell, "relabel", {"equipment": "kettlebell"}, "It is that already"),
        (bell, "merge", {"following": mill}, "can be put together"),
        (bell, "merge", {"following": "nothing"}, "not there any more"),
        (bell, "split", {"at": "23:00:00"}, "between its begin and its end"),
        (bell, "split", {"at": "soon"}, "between its begin and its end"),
        (bell, "discard", {"seen": "0" * 16}, "Somebody corrected it meanwhile"),
    ):
        post(trainer, f"/sessions/{session}/{step}", **fields)
        assert said in trainer.get(f"/sessions/{session}").text, (step, said)
    assert post(trainer, f"/sessions/{bell}/relabel", equipment="person").status_code == 404
    assert post(trainer, "/sessions/nothing/discard").status_code == 404
    assert post(trainer, "/sessions/%00/discard").status_code == 404
    assert len(only(gym, UsageSessionRow)) == 3
    assert post(trainer, f"/sessions/{bell}/split", at="00:05:00").status_code == 302  # past midnight
    assert len(only(gym, UsageSessionRow)) == 4


def test_a_split_in_the_hour_that_the_clocks_show_twice(gym: Gym, trainer: FlaskClient) -> None:
    began = datetime(2026, 10, 25, 0, 50, tzinfo=timezone.utc)  # 02:50, and half an hour later it is 02:20
    session = gym.session("kettlebell", began, 30)
    assert post(trainer, f"/sessions/{session}/split", at="02:05:00").status_code == 302
    starts = sorted(row.started_at for row in only(gym, UsageSessionRow))
    assert starts == [began, began + timedelta(minutes=15)]


def test_review_goes_through_all_from_the_newest(gym: Gym, trainer: FlaskClient) -> None:
    older, newer = gym.session("kettlebell", at(10)), gym.session("kettlebell", at(11))
    gym.session("kettlebell", datetime.now(timezone.utc), None)
    assert trainer.get("/sessions/review").headers["Location"] == f"/sessions/{newer}"
    done = post(trainer, f"/sessions/{newer}/right", note="Back <b>straight</b>", nickname="Blue")
    assert done.headers["Location"] == f"/sessions/{older}"
    assert "Back &lt;b&gt;straight" in trainer.get(f"/sessions/{newer}").text
    assert trainer.get("/sessions?reviewed=yes").text.count('scope="row"') == 1
    assert "Blue" in trainer.get("/sessions?reviewed=yes").text
    assert trainer.get("/sessions?reviewed=no").text.count('scope="row"') == 2
    assert "yes or no" in trainer.get("/sessions?reviewed=maybe").text
    assert post(trainer, f"/sessions/{older}/right", note="x" * 501).headers["Location"] == f"/sessions/{older}"
    assert post(trainer, f"/sessions/{older}/right").headers["Location"] == "/sessions"
    assert "All sessions are reviewed" in trainer.get("/sessions/review", follow_redirects=True).text


def test_a_day_is_drawn_by_equipment_and_by_camera(gym: Gym, trainer: FlaskClient) -> None:
    gym.session("kettlebell", at(18), 10)
    gym.session("kettlebell", at(18, 5), 10)
    gym.session("treadmill", at(18), 30, unit="treadmill-1", cameras=["cardio"])
    day = "from=2026-11-20&to=2026-11-20"
    page = trainer.get(f"/sessions?{day}").text
    assert page.count("<rect class=") == 3
    assert ">treadmill-1</text>" in page
    assert len(set(re.findall(r'<rect[^>]* y="(\d+)"', page))) == 3  # two at once stand below each other
    assert ">cardio</text>" in trainer.get(f"/sessions?{day}&lanes=camera").text
    assert "<rect class=" not in trainer.get("/sessions?from=2026-11-01&to=2026-11-20").text
    assert trainer.get("/sessions?unit=treadmill-1").text.count('scope="row"') == 1


def test_corrections_tell_where_to_take_stills_for_training(gym: Gym, trainer: FlaskClient) -> None:
    assert "Nothing was corrected yet" in trainer.get("/sessions/corrections").text
    session = gym.session("kettlebell", at(18), 12)
    post(trainer, f"/sessions/{session}/relabel", equipment="med_ball")
    (line,) = json.loads(trainer.get("/sessions/corrections.json").data)
    assert (line["camera"], line["was_taken_for"], line["is"]) == ("free-weights", "kettlebell", "med_ball")
    assert datetime.fromisoformat(line["begin"]) == at(18)
