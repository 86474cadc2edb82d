"""Labelling: sets of pictures, boxes that are kept as `spotter model` reads them, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from dashboard.labelling import sets
from dashboard.labelling.sets import Box, ConflictError, LabelSet, SetError
from models.labels import read_data_set
from spotter.database.people_tables import AuditRow

from .gym import AuthActions, Gym
from .people import browser, post

LABELS = ("person", "kettlebell", "med_ball")


def photo(width: int = 80, height: int = 60, colour: int = 90, form: str = "JPEG", **more: Any) -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (width, height), (colour, 120, 140)).save(kept, form, **more)
    return kept.getvalue()


@pytest.fixture
def kit(tmp_path: Path) -> LabelSet:
    made = sets.create(tmp_path, "kit", LABELS)
    for number in range(3):
        made.add(photo(colour=number), f"Phone {number}.jpg")
    return made


def send(client: FlaskClient, set_name: str, *photos: tuple[bytes, str]) -> TestResponse:
    data = {
        "csrf_token": AuthActions(client).token("/account"),
        "photos": [(io.BytesIO(content), name) for content, name in photos],
    }
    return client.post(f"/labels/{set_name}/pictures", data=data, follow_redirects=True)


def save(client: FlaskClient, place: str, boxes: list[dict[str, Any]], version: str) -> TestResponse:
    headers = {"X-CSRFToken": AuthActions(client).token("/account")}
    return client.put(f"{place}/boxes", json={"boxes": boxes, "version": version}, headers=headers)


def test_what_is_saved_trains_and_what_nobody_looked_at_does_not(kit: LabelSet) -> None:
    first, second, _ = kit.pictures
    box = Box("med_ball", (0.1, 0.2, 0.5, 0.6))
    version = kit.save(first, [box], kit.read(first).version)
    kit.save(second, [], kit.read(second).version)
    data_set = read_data_set(kit.folder / "data.yaml")
    assert data_set.labels == LABELS
    assert [(sample.path.name, len(sample.rows)) for sample in data_set.train] == [(first, 1), (second, 0)]
    np.testing.assert_allclose(data_set.train[0].rows, [[2, 0.3, 0.4, 0.4, 0.4]], atol=1e-6)
    read = kit.read(first)
    assert (read.state, read.version, read.boxes[0].label) == ("done", version, "med_ball")
    assert read.boxes[0].corners == pytest.approx(box.corners, abs=1e-5)
    assert kit.counts() == {"done": 2, "new": 1}
    assert kit.boxes_by_label() == {"med_ball": 1}


def test_who_saves_second_is_told(kit: LabelSet) -> None:
    picture = kit.pictures[0]
    seen = kit.read(picture).version
    kit.save(picture, [Box("person", (0, 0, 1, 1))], seen)
    with pytest.raises(ConflictError):
        kit.save(picture, [], seen)
    assert len(kit.read(picture).boxes) == 1


def test_proposals_are_shown_until_accepted_and_numbered_by_their_own_list(kit: LabelSet) -> None:
    picture = kit.pictures[1]
    folder = kit.folder / "proposals"
    folder.mkdir()
    (folder / "classes.txt").write_text("rubber dumbbell\nkettlebell\n")
    (folder / f"{Path(picture).stem}.txt").write_text("1 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.1 0.1\n")
    drawn = kit.read(picture)
    assert (drawn.state, [box.label for box in drawn.boxes]) == ("proposed", ["kettlebell"])  # no dumbbells here
    kit.save(picture, (), drawn.version)
    assert (kit.read(picture).state, kit.read(picture).boxes) == ("done", ())


def test_a_set_says_which_proposals_it_has_no_class_for(gym: Gym, signed_in: FlaskClient) -> None:
    kept = sets.create(gym.settings.data / "labelling", "kit", LABELS)
    for number in range(3):
        name = kept.add(photo(colour=number), f"{number}.jpg")
        assert name is not None
        rows = kept.folder / "proposals" / f"{Path(name).stem}.txt"
        rows.parent.mkdir(exist_ok=True)
        rows.write_text("0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.1 0.1\n0 0.2 0.2 0.1 0.1\n")
    (kept.folder / "proposals" / "classes.txt").write_text("dumbbell\nkettlebell\n")
    kept.save(kept.pictures[0], [], "none")  # what was accepted waits for nothing
    assert kept.left_out() == {"dumbbell": 4}
    assert "for the set has no such class: Dumbbell 4</p>" in signed_in.get("/labels/kit").text
    (kept.folder / "proposals" / "classes.txt").write_text("person\nkettlebell\n")
    assert "has no such class" not in signed_in.get("/labels/kit").text


def test_a_set_begins_with_the_pictures_that_are_there(tmp_path: Path) -> None:
    images = tmp_path / "kit" / "images"
    images.mkdir(parents=True)
    (images / "a.jpg").write_bytes(photo())
    assert sets.create(tmp_path, "kit", LABELS).labels == LABELS
    with pytest.raises(FileExistsError):
        sets.create(tmp_path, "kit", LABELS)
    assert (images / "a.jpg").is_file()


@pytest.mark.parametrize("line", ["x 0.5 0.5 0.1 0.1", "9 0.5 0.5 0.1 0.1", "-1 0.5 0.5 0.1 0.1", "0 0.5"])
def test_a_damaged_label_file_is_named_with_its_line(kit: LabelSet, line: str) -> None:
    (kit.folder / "labels").mkdir()
    (kit.folder / "labels" / f"{Path(kit.pictures[0]).stem}.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(SetError, match="line 2"):
        kit.read(kit.pictures[0])


def test_a_photo_loses_its_metadata_and_is_turned_upright(kit: LabelSet) -> None:
    turned = Image.Exif()
    turned[0x0112], turned[0x010F] = 6, "PhoneMaker"
    name = kit.add(photo(80, 60, 7, exif=turned), "../../Turned.JPG")
    assert name is not None
    assert name.startswith("turned-")
    with Image.open(kit.folder / "images" / name) as kept:
        assert kept.size == (60, 80)
        assert len(kept.getexif()) == 0


def test_an_owner_labels_a_photo_from_begin_to_end(app: Flask, gym: Gym, signed_in: FlaskClient) -> None:
    assert "No set yet" in signed_in.get("/labels").text
    assert post(signed_in, "/labels", name="spring-2027").headers["Location"] == "/labels/spring-2027"
    assert "No picture yet" in signed_in.get("/labels/spring-2027").text
    page = send(signed_in, "spring-2027", (photo(), "a.jpg"), (photo(form="PNG"), "b.png"), (b"no picture", "c.jpg"))
    assert "Added: 2." in page.text
    assert "Not a JPEG, PNG or WebP: c.jpg" in page.text
    assert "There already: 1." in send(signed_in, "spring-2027", (photo(), "a.jpg")).text
    assert "Choose photos first" in send(signed_in, "spring-2027").text
    kept = LabelSet(gym.settings.data / "labelling" / "spring-2027")
    place = f"/labels/spring-2027/{kept.pictures[0]}"
    assert '"version": "none"' in signed_in.get(place).text
    for query, kind in (("", "image/jpeg"), ("?small=1", "image/jpeg")):
        answer = signed_in.get(f"{place}/picture{query}")
        assert (answer.status_code, answer.mimetype) == (200, kind)
        assert "private" in answer.headers["Cache-Control"]
        answer.close()
    box = {"label": "kettlebell", "box": [0.1, 0.1, 0.4, 0.5]}
    first = save(signed_in, place, [box], "none")
    assert first.status_code == 200
    assert save(signed_in, place, [], "none").status_code == 409
    assert save(signed_in, place, [box, box], first.json["version"]).status_code == 200  # type: ignore[index]
    page = signed_in.get("/labels/spring-2027?state=done")
    assert kept.pictures[0] in page.text
    assert "Kettlebell" in page.text
    with zipfile.ZipFile(io.BytesIO(signed_in.get("/labels/spring-2027/labels.zip").data)) as archive:
        assert any(name.endswith(f"labels/{Path(kept.pictures[0]).stem}.txt") for name in archive.namelist())
        assert not any(name.endswith(".jpg") for name in archive.namelist())
    assert post(signed_in, f"{place}/remove").status_code == 302
    assert len(LabelSet(kept.folder).pictures) == 1
    assert post(signed_in, "/labels/spring-2027/remove", name="spring").status_code == 302
    assert kept.folder.is_dir()
    post(signed_in, "/labels/spring-2027/remove", name="spring-2027")
    assert not kept.folder.exists()
    with Session(gym.engine) as session:
        done = [row.action for row in session.query(AuditRow) if row.action.startswith("labels_")]
    assert done == [
        "labels_begun", "labels_photos_added", "labels_saved", "labels_saved", "labels_photo_deleted", "labels_deleted",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "boxes",
    [
        [{"label": "kettlebell", "box": [0.5, 0.1, 0.4, 0.5]}],
        [{"label": "kettlebell", "box": [0.1, 0.1, 1.4, 0.5]}],
        [{"label": "kettlebell", "box": [0.1, 0.1, 0.4]}],
        [{"label": "spaceship", "box": [0.1, 0.1, 0.4, 0.5]}],
        [{"label": "kettlebell", "box": [0.1, 0.1, 0.4, 0.5]}] * 501,
        "nothing",
    ],
)
def test_what_is_no_box_is_refused_and_changes_nothing(gym: Gym, signed_in: FlaskClient, boxes: Any) -> None:
    kept = sets.create(gym.settings.data / "labelling", "kit", LABELS)
    kept.add(photo(), "a.jpg")
    answer = save(signed_in, f"/labels/kit/{kept.pictures[0]}", boxes, "none")
    assert answer.status_code == 422
    assert answer.json["detail"]  # type: ignore[index]
    assert kept.read(kept.pictures[0]).state == "new"


def test_no_name_leads_out_of_the_folder(app: Flask, gym: Gym) -> None:
    trainer = browser(app, gym, "trainer")
    sets.create(gym.settings.data / "labelling", "kit", LABELS)
    (gym.settings.data / "labelling" / "Other").mkdir()
    for path in (
        "..", "%2e%2e", "Other", "kit/..%2f..%2fdata.yaml", "kit/data.yaml", "kit/data.yaml/picture",
        "kit/..%2fdata.yaml/picture", "kit/%00", "kit/nothing.jpg",
    ):  # fmt: skip
        assert trainer.get(f"/labels/{path}").status_code == 404, path
    assert post(trainer, "/labels/kit/remove", name="kit").status_code == 403


def test_suggestions_come_from_the_detector(gym: Gym, signed_in: FlaskClient) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime (pip install 'spotter[cpu]')")
    kept = sets.create(gym.settings.data / "labelling", "kit", LABELS)
    kept.add(photo(320, 240), "grey.jpg")
    headers = {"X-CSRFToken": AuthActions(signed_in).token("/account")}
    answer = signed_in.post(f"/labels/kit/{kept.pictures[0]}/suggest", headers=headers)
    assert (answer.status_code, answer.json) == (200, {"boxes": []})


def test_too_many_photos_are_taken_in_before_it_is_said(gym: Gym, signed_in: FlaskClient, tmp_path: Path) -> None:
    sets.create(gym.settings.data / "labelling", "kit", LABELS)
    with (tmp_path / "photos").open("w+b") as body:
        body.truncate(61_000_000)
        form = "multipart/form-data; boundary=x"
        answer = signed_in.post("/labels/kit/pictures", input_stream=body, content_type=form)
        assert answer.status_code == 413
        assert "too much at once" in answer.text
        assert body.tell() == 61_000_000


def test_a_set_that_does_not_name_its_classes_says_so(gym: Gym, signed_in: FlaskClient) -> None:
    kept = sets.create(gym.settings.data / "labelling", "kit", LABELS)
    name = kept.add(photo(), "a.jpg")
    (kept.folder / "data.yaml").unlink()
    answer = signed_in.get(f"/labels/kit/{name}")
    assert answer.status_code == 422
    assert "does not name the classes" in answer.text
