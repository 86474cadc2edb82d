"""The API as a program uses it: tokens and scopes, pages, ETags, problem details, the stream; and Schemathesis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounds
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from dashboard import rights
from dashboard.people import secret, tokens
from spotter.database import layouts
from spotter.database.people_tables import ApiTokenRow, AuditRow

from .gym import Gym, wait_for
from .people import browser, only, post

BOUNDED: dict[str, Any] = {
    "max_examples": 3,
    "derandomize": True,
    "deadline": None,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}

ALL_SCOPES = list(rights.SCOPES)


def token(gym: Gym, *scopes: str, days: int | None = None, site: str | None = None, now: Any = None) -> str:
    with Session(gym.engine) as session:
        moment = now or datetime.now(timezone.utc)
        _, made = tokens.issue(session, site or gym.site, "test", list(scopes), days, "Olga", moment)
        session.commit()
    return made


def get(app: Flask, path: str, made: str, **headers: str) -> TestResponse:
    return app.test_client().get(path, headers={"Authorization": f"Bearer {made}", **headers})


def is_problem(answer: TestResponse, status: int) -> bool:
    body = answer.get_json(force=True)
    return (
        answer.status_code == body["status"] == status
        and answer.mimetype == "application/problem+json"
        and body["type"] == "about:blank"
        and bool(body["title"])
    )


def test_a_token_opens_what_its_scopes_say_and_no_more(app: Flask, gym: Gym) -> None:
    gym.well()
    reader = token(gym, "sessions:read")
    assert get(app, "/api/v1/sessions", reader).get_json() == {"sessions": [], "next": None}
    assert get(app, "/api/v1/catalogue", reader).status_code == 200
    for path in ("/api/v1/live", "/api/v1/events", "/api/v1/cameras", "/api/v1/equipment"):
        answer = get(app, path, reader)
        assert is_problem(answer, 403), path
        assert "scope" in answer.get_json(force=True)["detail"]


def test_a_token_gets_no_other_site(app: Flask, gym: Gym) -> None:
    gym.elsewhere("uptown", "bike", datetime.now(timezone.utc) - timedelta(hours=2), 30)
    sites = get(app, "/api/v1/figures/sites", token(gym, "equipment:read")).get_json()["sites"]
    assert [one["site"] for one in sites] == ["downtown"]


def test_every_operation_needs_the_scope_that_the_document_names(app: Flask, gym: Gym) -> None:
    document = get(app, "/api/v1/openapi.json", token(gym, "live:read")).get_json()
    nothing = token(gym)
    endpoints = {
        (method.lower(), re.sub(r"<(?:int:)?(\w+)>", r"{\1}", rule.rule)): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    asked = [
        (path, method, operation) for path, all_ in document["paths"].items() for method, operation in all_.items()
    ]
    for path, method, operation in asked:
        if method == "parameters":
            continue
        needed = rights.NEEDED_SCOPE[endpoints[method, path]]
        assert (f"`{needed}`" in operation.get("description", "")) == (needed is not None)
        real = path.replace("{number}", "1").replace("{", "").replace("}", "")
        answer = app.test_client().open(real, method=method, headers={"Authorization": f"Bearer {nothing}"})
        assert (answer.status_code == 403) == (needed is not None), path
        assert operation["security"] == [{"token": []}]


def test_a_token_opens_no_page(app: Flask, gym: Gym) -> None:
    made = token(gym, *ALL_SCOPES)
    for path in ("/", "/sessions", "/people", "/people/tokens", "/live/state"):
        assert get(app, path, made).status_code in (302, 401), path


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Basic b2xnYTpwYXNz", "Bearer \xff", "nonsense"])
def test_what_is_no_token_is_refused_as_a_problem(app: Flask, gym: Gym, given: str) -> None:
    answer = app.test_client().get("/api/v1/live", headers={"Authorization": given})
    assert is_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_expired_foreign_and_revoked_tokens_do_not_work(app: Flask, gym: Gym) -> None:
    long_ago = datetime.now(timezone.utc) - timedelta(days=31)
    for made in (token(gym, *ALL_SCOPES, days=30, now=long_ago), token(gym, *ALL_SCOPES, site="uptown")):
        assert is_problem(get(app, "/api/v1/live", made), 401)
    owner = browser(app, gym, "owner")
    page = post(owner, "/people/tokens", "/people/tokens", name="wallboard", scopes="live:read", days="30")
    made = re.search(r'class="secret">(spotter_[\w-]+)<', page.text)[1]  # type: ignore[index]
    assert get(app, "/api/v1/cameras", made).status_code == 200
    assert made not in owner.get("/people/tokens").text
    row = next(row for row in only(gym, ApiTokenRow) if row.name == "wallboard")
    assert row.hash == secret.hashed(made)
    assert row.used_at is not None
    assert post(owner, f"/people/tokens/{row.id}/revoke").status_code == 302
    assert is_problem(get(app, "/api/v1/cameras", made), 401)
    assert "revoked the API token" in owner.get("/people/log").text


def test_a_token_needs_a_name_and_a_scope_that_exists(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    right = {"name": "x", "scopes": "live:read", "days": "0"}
    for wrong in ({"name": ""}, {"scopes": "everything"}, {"days": "7000"}, {"name": "x" * 65}):
        assert post(owner, "/people/tokens", "/people/tokens", **{**right, **wrong}).status_code == 422, wrong
    assert only(gym, ApiTokenRow) == []


def test_pages_follow_each_other_and_one_session_can_be_asked_for(app: Flask, gym: Gym) -> None:
    made, now = token(gym, "sessions:read"), datetime.now(timezone.utc)
    ids = [gym.session("kettlebell", now - timedelta(hours=hours)) for hours in range(5)]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        body = get(app, f"/api/v1/sessions?limit=2&cursor={cursor}", made).get_json()
        seen += [one["session"] for one in body["sessions"]]
        cursor = body["next"]
    assert seen == ids
    assert get(app, f"/api/v1/sessions/{ids[0]}", made).get_json()["session"] == ids[0]
    elsewhere = gym.session("kettlebell", now, site="uptown")
    for unknown in (elsewhere, "none", "%00"):
        assert is_problem(get(app, f"/api/v1/sessions/{unknown}", made), 404)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=damaged", "from=yesterday", "limit=501"])
def test_what_is_not_understood_is_named(app: Flask, gym: Gym, query: str) -> None:
    answer = get(app, f"/api/v1/sessions?{query}", token(gym, "sessions:read"))
    assert is_problem(answer, 422)
    assert query.partition("=")[0] in answer.text


@pytest.mark.parametrize("path", ["/api/v1/sessions", "/api/v1/live", "/api/v1/catalogue?language=ko"])
def test_what_has_not_changed_is_not_sent_again(app: Flask, gym: Gym, path: str) -> None:
    gym.well()
    made = token(gym, *ALL_SCOPES)
    tag = wait_for(lambda: settled(app, path, made))
    again = get(app, path, made, **{"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert get(app, path, made, **{"If-None-Match": '"another"'}).status_code == 200


def settled(app: Flask, path: str, made: str) -> str | None:
    """The ETag once two answers agree: cameras come up in the first moments."""
    first, second = (get(app, path, made).headers["ETag"] for _ in range(2))
    return first if first == second else None


def test_a_new_session_changes_the_etag(app: Flask, gym: Gym) -> None:
    made = token(gym, "sessions:read")
    tag = get(app, "/api/v1/sessions", made).headers["ETag"]
    gym.session("kettlebell", datetime.now(timezone.utc))
    assert get(app, "/api/v1/sessions", made, **{"If-None-Match": tag}).status_code == 200


def test_one_camera_and_one_label(app: Flask, gym: Gym) -> None:
    gym.well()
    made = token(gym, "live:read")
    wait_for(lambda: get(app, "/api/v1/cameras/kiosk", made).get_json()["state"] == "online")
    card = get(app, "/api/v1/catalogue/kettlebell?language=ko", made).get_json()["card"]
    assert card["name"] == "케틀벨"
    assert 3 <= len(card["steps"]) <= 6
    for path in ("/api/v1/cameras/none", "/api/v1/catalogue/none", "/api/v1/nothing"):
        assert is_problem(get(app, path, made), 404)


def test_a_wrong_method_says_which_are_right(app: Flask, gym: Gym) -> None:
    made = token(gym, *ALL_SCOPES)
    answer = app.test_client().delete("/api/v1/sessions", headers={"Authorization": f"Bearer {made}"})
    assert answer.status_code in (400, 405)
    assert answer.mimetype == "application/problem+json"


class Stream:
    """A reader of the stream."""

    def __init__(self, app: Flask, made: str, last: str | None = None) -> None:
        headers = {"Last-Event-ID": last} if last else {}
        self.answer = get(app, "/api/v1/events", made, **headers)
        assert self.answer.mimetype == "text/event-stream"
        self.chunks: Iterator[Any] = iter(self.answer.response)

    def batch(self) -> tuple[str, str]:
        """The text up to the next id, and that id."""
        text = ""
        while (found := re.search(r"^id: (\S+)$", text, re.MULTILINE)) is None:
            chunk = next(self.chunks)
            text += chunk if isinstance(chunk, str) else chunk.decode()
        return text, found[1]


def test_a_reader_that_was_away_gets_what_changed_and_only_that(app: Flask, gym: Gym) -> None:
    gym.well()
    made = token(gym, "live:read")
    wait_for(lambda: settled(app, "/api/v1/live", made))
    first = Stream(app, made)
    everything, last = first.batch()
    first.answer.close()
    assert '"camera": "kiosk"' in everything
    assert '"camera": "free-weights"' in everything
    gym.scene("kiosk", "kettlebell")
    later = Stream(app, made, last)
    missed, _ = later.batch()
    while "kettlebell" not in missed:
        missed += later.batch()[0]
    later.answer.close()
    assert '"camera": "free-weights"' not in missed
    gym.scene("kiosk", "med_ball")
    wait_for(lambda: "med_ball" in get(app, "/api/v1/cameras/kiosk", made).text)
    replayed, _ = Stream(app, made, last).batch()
    assert 0 < replayed.index("kettlebell") < replayed.index("med_ball"), "what came and went is told, too"
    for strange in ("other-5", "x", f"{last}0000000000000000", f"{last.partition('-')[0]}-²"):
        again = Stream(app, made, strange)
        assert '"camera": "free-weights"' in again.batch()[0], strange
        again.answer.close()


def test_a_reader_of_the_stream_sees_alerts_only_with_their_scope(app: Flask, gym: Gym) -> None:
    gym.well()
    owner = browser(app, gym, "owner")
    for made, sees in ((token(gym, "live:read"), False), (token(gym, "live:read", "alerts:read"), True)):
        wait_for(lambda made=made: settled(app, "/api/v1/live", made))
        everything, last = Stream(app, made).batch()
        assert ("event: alerts" in everything) is sees
        alert = gym.alert()
        wait_for(lambda alert=alert: alert in owner.get("/live/state").text)
        assert (alert in Stream(app, made, last).batch()[0]) is sees


def test_the_page_of_the_api_has_every_operation(app: Flask, gym: Gym) -> None:
    viewer = browser(app, gym, "viewer")
    page = viewer.get("/api").text
    for path, operations in viewer.get("/api/v1/openapi.json").get_json()["paths"].items():
        for method in operations.keys() - {"parameters"}:
            assert f"{method.upper()} {path}<" in page


def test_the_api_keeps_to_its_document_whatever_is_asked(app: Flask, gym: Gym) -> None:
    """Schemathesis: no server error, and every answer, to right and to wrong questions, as the document says."""
    gym.well()
    for hours in range(3):
        gym.session("kettlebell", datetime.now(timezone.utc) - timedelta(hours=hours))
    app.config["RATELIMIT_ENABLED"] = False
    headers = {"Authorization": f"Bearer {token(gym, *ALL_SCOPES)}"}
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, headers=headers)
    # The stream does not end, so it is left out here; it has tests of its own above.
    operations = [result.ok() for result in schema.exclude(path="/api/v1/events").get_all_operations()]
    assert len(operations) >= 8
    asked = []

    for operation in operations:
        for mode in GenerationMode:

            @bounds(**BOUNDED)
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                asked.append(case.path)
                # A time or a cursor is a text with a meaning, which the document can't describe in full.
                case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

            ask()
    assert set(asked) == {operation.path for operation in operations}


def test_alerts_come_page_by_page_and_one_by_one(app: Flask, gym: Gym) -> None:
    now, made = datetime.now(timezone.utc), token(gym, "alerts:read")
    ids = [gym.alert("walkway", now - timedelta(minutes=n)) for n in range(3)]
    gym.clear(ids[2])
    first = get(app, "/api/v1/alerts?limit=1", made).json
    assert [one["alert"] for one in first["alerts"]] == [ids[0]]  # type: ignore[index]
    second = get(app, f"/api/v1/alerts?limit=1&cursor={first['next']}", made).json  # type: ignore[index]
    assert ([one["alert"] for one in second["alerts"]], second["next"]) == ([ids[1]], None)  # type: ignore[index]
    over = get(app, "/api/v1/alerts?state=over", made).json
    assert over["alerts"][0]["cleared_detail"] == "kettlebell does not lie there any more"  # type: ignore[index]
    assert get(app, f"/api/v1/alerts/{ids[2]}", made).json["kind"] == "walkway"  # type: ignore[index]
    assert is_problem(get(app, "/api/v1/alerts/nothing", made), 404)
    assert is_problem(get(app, "/api/v1/alerts?cursor=x", made), 422)
    assert is_problem(get(app, "/api/v1/alerts?from=x", made), 422)
    assert is_problem(get(app, "/api/v1/alerts", token(gym, "live:read")), 403)


def test_corrections_and_versions_of_the_layout_can_be_read(app: Flask, gym: Gym) -> None:
    trainer, owner = browser(app, gym, "trainer"), browser(app, gym, "owner")
    session = gym.session("kettlebell", datetime.now(timezone.utc) - timedelta(hours=1), 10)
    post(trainer, f"/sessions/{session}/relabel", equipment="med_ball")
    (one,) = get(app, f"/api/v1/corrections?session={session}", token(gym, "sessions:read")).json["corrections"]  # type: ignore[index]
    assert (one["kind"], one["by"], one["undone"]) == ("relabel", "Tom", None)
    assert (one["before"][0]["equipment"], one["after"][0]["equipment"]) == ("kettlebell", "med_ball")
    made = token(gym, "layout:read")
    assert get(app, "/api/v1/layouts", made).json == {"versions": []}
    zone = {"kind": "floor", "polygon": [[0, 0], [1, 0], [1, 1]]}
    headers = {"X-CSRFToken": re.findall(r'name="csrf_token" value="([^"]+)"', owner.get("/account").text)[0]}
    owner.put("/layout/kiosk", json={"version": 0, "zones": {"mats": zone}}, headers=headers)
    (version,) = get(app, "/api/v1/layouts", made).json["versions"]  # type: ignore[index]
    assert (version["version"], version["by"], version["source"]) == (1, "Olga", "dashboard")
    kept = get(app, "/api/v1/layouts/1", made).json
    assert list(kept["document"]["cameras"]["kiosk"]) == ["mats"]  # type: ignore[index]
    assert is_problem(get(app, "/api/v1/layouts/2", made), 404)


def send(app: Flask, path: str, made: str, **body: str) -> TestResponse:
    return app.test_client().post(path, headers={"Authorization": f"Bearer {made}"}, json=body)


def test_a_program_corrects_sessions_in_its_own_name(app: Flask, gym: Gym) -> None:
    begin = datetime.now(timezone.utc) - timedelta(hours=1)
    one, two = gym.session("kettlebell", begin, 10), gym.session("kettlebell", begin + timedelta(minutes=11), 5)
    made, path = token(gym, "sessions:read", "sessions:write"), f"/api/v1/sessions/{one}"
    old = get(app, path, made).json["revision"]  # type: ignore[index]
    relabelled = send(app, f"{path}/relabel", made, equipment="med_ball", revision=old).json
    assert (relabelled["by"], relabelled["after"][0]["equipment"]) == ("token test", "med_ball")  # type: ignore[index]
    assert is_problem(send(app, f"{path}/discard", made, revision=old), 409)
    assert is_problem(send(app, f"{path}/relabel", made, equipment="med_ball"), 422)
    assert is_problem(send(app, f"{path}/merge", made, following=two), 422)
    for wrong in ({}, {"equipment": "person"}, {"equipment": "x\0"}):
        assert is_problem(send(app, f"{path}/relabel", made, **wrong), 422), wrong
    undone = send(app, f"/api/v1/corrections/{relabelled['correction']}/undo", made).json  # type: ignore[index]
    assert undone["undone_by"] == "token test"  # type: ignore[index]
    merged = send(app, f"{path}/merge", made, following=two).json
    assert [len(merged[name]) for name in ("before", "after")] == [2, 1]  # type: ignore[index]
    middle = (begin + timedelta(minutes=8)).isoformat()
    assert len(send(app, f"{path}/split", made, at=middle).json["after"]) == 2  # type: ignore[index]
    assert is_problem(send(app, f"{path}/split", made, at="0001-01-01T00:00:00+14:00"), 422)
    said = send(app, f"{path}/review", made, note="as it was", client="Blue").json
    assert (said["by"], said["note"]) == ("token test", "as it was")  # type: ignore[index]
    assert send(app, f"{path}/discard", made).json["after"] == []  # type: ignore[index]
    for gone in (f"{path}/review", f"{path}/discard", "/api/v1/corrections/999/undo"):
        assert is_problem(send(app, gone, made), 404), gone
    assert is_problem(app.test_client().post(f"{path}/discard", headers={"Authorization": f"Bearer {made}"}), 400)
    assert "token test" in browser(app, gym, "owner").get("/people/log").text


def test_a_program_sees_to_alerts_and_records_services(app: Flask, gym: Gym) -> None:
    made = token(gym, "alerts:write", "equipment:read", "equipment:write")
    alert = gym.alert("walkway", datetime.now(timezone.utc))
    for _ in range(2):
        seen = send(app, f"/api/v1/alerts/{alert}/acknowledge", made).json
        assert seen["acknowledged_by"] == "token test"  # type: ignore[index]
    assert is_problem(send(app, "/api/v1/alerts/nothing/acknowledge", made), 404)
    assert is_problem(send(app, "/api/v1/services", made, unit="nothing", step="done"), 404)
    station = {"kind": "station", "equipment": "treadmill", "polygon": [[0, 0], [1, 0], [1, 1]]}
    layouts.add(gym.engine, gym.site, {"cameras": {"kiosk": {"treadmill-1": station}}, "rules": {}}, "dashboard")
    begun = send(app, "/api/v1/services", made, unit="treadmill-1", step="start", note="belt").json
    assert (begun["by"], begun["note"], begun["done"]) == ("token test", "belt", None)  # type: ignore[index]
    assert is_problem(send(app, "/api/v1/services", made, unit="treadmill-1", step="start"), 409)
    send(app, "/api/v1/services", made, unit="treadmill-1", step="done")
    (done,) = get(app, "/api/v1/services?unit=treadmill-1", made).json["services"]  # type: ignore[index]
    assert done["done"] is not None
    assert [row.action for row in only(gym, AuditRow)] == ["alert_acknowledged", "service_start", "service_done"]


def test_a_browser_needs_the_csrf_token_that_a_program_does_not(app: Flask, gym: Gym) -> None:
    alert = gym.alert("walkway", datetime.now(timezone.utc))
    path, trainer = f"/api/v1/alerts/{alert}/acknowledge", browser(app, gym, "trainer")
    assert is_problem(trainer.post(path), 400)
    assert is_problem(trainer.post(path, headers={"Authorization": "Bearer spotter_wrong"}), 401)
    sent = re.findall(r'name="csrf_token" value="([^"]+)"', trainer.get("/api").text)[0]
    answer = trainer.post(path, headers={"X-CSRFToken": sent})
    assert answer.json["acknowledged_by"] == "Tom"  # type: ignore[index]
