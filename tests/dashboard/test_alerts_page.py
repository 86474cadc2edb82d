"""The alerts page: what is open, what was, who saw to it, and services; live in open pages."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from spotter.database.tables import AlertRow, OutgoingEventRow, ServiceRow
from spotter.events import Alert, parse

from .gym import Gym, wait_for
from .people import browser, only, post


def told(client: FlaskClient) -> dict[str, Any]:
    events = client.get("/live/state?only=alerts").get_json()["events"]
    assert {kind for kind, _ in events} <= {"alerts"}
    return events[0][1] if events else {}


def events(gym: Gym) -> list[Alert]:
    return [parse(Alert, row.payload) for row in only(gym, OutgoingEventRow)]


def test_an_open_alert_says_what_raised_it_and_where(gym: Gym, signed_in: FlaskClient) -> None:
    alert = gym.alert(raised=datetime.now(timezone.utc) - timedelta(minutes=12))
    page = signed_in.get("/alerts").text
    for said in ("Kettlebell, floor", "Left out", "for 12 min", "Kettlebell at rest for 120 s", f'id="alert-{alert}"'):
        assert said in page, said
    assert "/sessions?" in page
    assert "equipment=kettlebell" in page
    gym.clear(alert)
    assert "All is well" in signed_in.get("/alerts").text
    over = signed_in.get("/alerts?state=over").text
    assert "does not lie there any more" in over
    assert "I see to it" not in over


def test_without_any_alert_the_page_says_what_it_would_tell(gym: Gym, signed_in: FlaskClient) -> None:
    assert "No alert yet" in signed_in.get("/alerts?state=all").text
    assert "No alert fits" in signed_in.get("/alerts?kind=queue").text


def test_filters_and_pages(gym: Gym, signed_in: FlaskClient) -> None:
    now = datetime.now(timezone.utc)
    for number in range(53):
        gym.alert("missing", now - timedelta(minutes=number), detail=f"number {number}.")
    gym.alert("queue", now - timedelta(days=3), camera="kiosk", equipment=None, detail="people wait")
    assert signed_in.get("/alerts?kind=queue").text.count("data-alert=") == 1
    assert signed_in.get("/alerts?camera=kiosk").text.count("data-alert=") == 1
    assert signed_in.get(f"/alerts?from={(now - timedelta(days=1)).date()}&kind=queue").text.count("data-alert=") == 0
    first = signed_in.get("/alerts")
    assert first.text.count("data-alert=") == 50
    older = first.text.split('href="/alerts?cursor=')[1].split('"')[0]
    second = signed_in.get(f"/alerts?cursor={older}".replace("&amp;", "&"))
    assert second.text.count("data-alert=") == 4
    assert "number 52." in second.text
    for wrong in ("from=x", "state=x", "from=2026-11-22&to=2026-11-21"):
        assert 'role="alert"' in signed_in.get(f"/alerts?{wrong}").text
    for strange in ("cursor=x", "cursor=MjAyNi0xMS0yMlQxODowMDowMCswMDowMCAA"):
        assert signed_in.get(f"/alerts?{strange}").status_code == 200


def test_who_sees_to_an_alert_is_kept_published_and_logged_once(app: Flask, gym: Gym) -> None:
    owner, trainer = browser(app, gym, "owner"), browser(app, gym, "trainer")
    alert = gym.alert()
    wait_for(lambda: told(owner).get("unacknowledged") == 1)
    assert "<span>1</span>" in owner.get("/sessions").text
    answer = post(trainer, f"/alerts/{alert}/acknowledge", back="/alerts?state=all")
    assert answer.location == f"/alerts?state=all#alert-{alert}"
    with Session(gym.engine) as session:
        assert session.get_one(AlertRow, alert).acknowledged_by == "Tom"
    assert [(one.type, one.by, str(one.alert)) for one in events(gym)] == [("acknowledged", "Tom", alert)]
    wait_for(lambda: told(owner)["unacknowledged"] == 0, 2)
    assert told(owner)["alerts"][0]["acknowledged_by"] == "Tom"
    assert post(owner, f"/alerts/{alert}/acknowledge").status_code == 302
    assert "Tom saw to it already" in owner.get("/alerts").text
    assert len(events(gym)) == 1
    assert owner.get("/people/log").text.count("saw to the alert") == 1


def test_around_an_alert_stands_in_the_fields_of_the_sessions(app: Flask, gym: Gym) -> None:
    trainer = browser(app, gym, "trainer")
    gym.clear(gym.alert(raised=datetime(2026, 11, 20, 17, 0, 30, tzinfo=timezone.utc)))
    page = unquote(trainer.get("/alerts?state=all").text)
    link = re.search(r'href="(/sessions\?[^"]*from=2026-11-20T17:50[^"]*)"', page)
    assert link is not None
    around = trainer.get(link[1].replace("&amp;", "&")).text
    assert 'name="from" type="datetime-local" value="2026-11-20T17:50"' in around


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_acknowledging_leads_nowhere_else(app: Flask, gym: Gym, back: str) -> None:
    alert = gym.alert()
    answer = post(browser(app, gym, "owner"), f"/alerts/{alert}/acknowledge", back=back)
    assert answer.location == f"/alerts#alert-{alert}"


def test_alerts_of_another_gym_are_not_there(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    foreign = gym.alert(site="uptown", detail="of another gym")
    assert "of another gym" not in owner.get("/alerts?state=all").text
    for path in (f"/alerts/{foreign}/acknowledge", "/alerts/%00/acknowledge", f"/alerts/{foreign}/service/done"):
        assert post(owner, path).status_code == 404, path


def test_a_viewer_reads_alerts_and_changes_nothing(app: Flask, gym: Gym) -> None:
    viewer, alert = browser(app, gym, "viewer"), gym.alert()
    page = viewer.get("/alerts").text
    assert "Kettlebell, floor" in page
    assert "I see to it" not in page
    assert "/sessions" not in page
    assert post(viewer, f"/alerts/{alert}/acknowledge").status_code == 403


def test_a_service_is_recorded_and_ends_the_alert(app: Flask, gym: Gym) -> None:
    trainer = browser(app, gym, "trainer")
    alert = gym.alert("maintenance_due", unit="treadmill-1", equipment="treadmill", detail="300 h")
    assert post(trainer, f"/alerts/{alert}/service/start", note="belt").status_code == 302
    assert "is being serviced" in trainer.get("/alerts").text
    assert post(trainer, f"/alerts/{alert}/service/start").status_code == 302
    assert "treadmill-1 is being serviced already" in trainer.get("/alerts").text
    assert post(trainer, f"/alerts/{alert}/service/done", note="x" * 501).status_code == 302
    assert "at most 500" in trainer.get("/alerts").text
    assert post(trainer, f"/alerts/{alert}/service/done", note="new belt").status_code == 302
    (service,) = only(gym, ServiceRow)
    assert (service.unit, service.by, service.note) == ("treadmill-1", "Tom", "new belt")
    assert service.done_at is not None
    assert [(one.type, one.kind) for one in events(gym)] == [("cleared", "maintenance_due")]
    page = trainer.get("/alerts?state=over").text
    assert "treadmill-1 was serviced" in page
    assert "It was serviced" not in page
    other = gym.alert()
    for path in (f"/alerts/{other}/service/done", f"/alerts/{alert}/service/undo"):
        assert post(trainer, path).status_code == 404, path


def test_a_cleared_alert_leaves_the_stream_within_a_moment(gym: Gym, signed_in: FlaskClient) -> None:
    alert = gym.alert()
    wait_for(lambda: [one["alert"] for one in told(signed_in)["alerts"]] == [alert], 5)
    gym.clear(alert)
    wait_for(lambda: told(signed_in) == {"count": 0, "unacknowledged": 0, "alerts": []}, 5)
    assert json.loads(signed_in.get("/live/state").data)["events"]
