"""The API's people, log and pictures to label, as a program reads them."""

from __future__ import annotations

import io
import re

import pytest
from flask import Flask
from PIL import Image

from dashboard.labelling import sets
from dashboard.labelling.sets import Box

from .gym import Gym
from .people import browser, post
from .test_api import get, is_problem, token


def test_who_may_do_what_and_who_did_what_can_be_read(app: Flask, gym: Gym) -> None:
    owner, made = browser(app, gym, "owner"), token(gym, "people:read")
    browser(app, gym, "trainer")
    post(owner, "/people/invitations", role="viewer", note="Vera")
    people = get(app, "/api/v1/people", made).json["people"]  # type: ignore[index]
    assert [(one["name"], one["role"], one["locked"]) for one in people] == [
        ("Olga", "owner", False),
        ("Tom", "trainer", False),
    ]
    (invited,) = get(app, "/api/v1/people/invitations", made).json["invitations"]  # type: ignore[index]
    assert (invited["note"], invited["role"], invited["by"]) == ("Vera", "viewer", "Olga")
    found = get(app, "/api/v1/people/sign-ins", made).json["sign_ins"]  # type: ignore[index]
    assert {one["name"] for one in found} == {"Olga", "Tom"}
    (known,) = get(app, "/api/v1/people/tokens", made).json["tokens"]  # type: ignore[index]
    assert (known["name"], known["scopes"]) == ("test", ["people:read"])
    first = get(app, "/api/v1/people/log?limit=1", made).json
    assert first["lines"][0]["action"] == "invited"  # type: ignore[index]
    older = get(app, f"/api/v1/people/log?before={first['next']}", made).json  # type: ignore[index]
    assert first["lines"][0]["line"] > older["lines"][0]["line"]  # type: ignore[index]
    said = get(app, "/api/v1/people", made).text + owner.get("/api/v1/people/log").text
    assert not re.search("argon2|spotter_[0-9A-Za-z]", said)  # no password's hash, and no token
    assert is_problem(get(app, "/api/v1/people/log", token(gym, "sessions:read")), 403)


def test_pictures_to_label_can_be_read(app: Flask, gym: Gym) -> None:
    made, root = token(gym, "labels:read"), gym.settings.data / "labelling"
    assert get(app, "/api/v1/labels", made).json == {"sets": []}
    one = sets.create(root, "hall", ["person", "kettlebell"])
    photo = io.BytesIO()
    Image.new("RGB", (64, 48)).save(photo, "JPEG")
    name = one.add(photo.getvalue(), "Frame 1.jpg")
    assert name is not None
    new = {"set": "hall", "pictures": 1, "proposed": 0, "done": 0}
    assert get(app, "/api/v1/labels", made).json == {"sets": [new]}
    box = Box("kettlebell", (0.25, 0.25, 0.5, 0.75))
    one.save(name, [box], one.read(name).version)
    known = get(app, "/api/v1/labels/hall", made).json
    files = [{"picture": name, "state": "done"}]
    assert known == {**new, "done": 1, "labels": ["person", "kettlebell"], "files": files}
    drawn = get(app, f"/api/v1/labels/hall/{name}", made).json
    assert drawn["boxes"] == [{"label": "kettlebell", "box": pytest.approx([0.25, 0.25, 0.5, 0.75])}]  # type: ignore[index]
    assert get(app, f"/api/v1/labels/hall/{name}/picture", made).mimetype == "image/jpeg"
    for path in ("nothing", "..", "hall/nothing.jpg", "hall/..%2Fdata.yaml", "hall/data.yaml/picture"):
        assert is_problem(get(app, f"/api/v1/labels/{path}", made), 404)
    (one.folder / "data.yaml").unlink()
    written = get(app, "/api/v1/openapi.json", made).json["paths"]  # type: ignore[index]
    for path, told in (("hall", "{name}"), (f"hall/{name}", "{name}/{picture}")):
        assert is_problem(get(app, f"/api/v1/labels/{path}", made), 409)
        assert "409" in written[f"/api/v1/labels/{told}"]["get"]["responses"]
    assert "409" not in written["/api/v1/labels"]["get"]["responses"]
