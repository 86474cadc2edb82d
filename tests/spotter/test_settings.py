"""gym.yaml: short files are complete, every mistake is named at its line with the mend."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from spotter import settings
from spotter.commands.config import settings_schema
from spotter.errors import SettingsError

BASE = Path("/gym")

DESIGN = """\
site: downtown
timezone: Europe/Berlin
engine: opencv
model: models/weights/gym-yolov5n.onnx
cameras:
  free-weights:
    uri: rtsp://10.0.0.11/stream2
    username: viewer
    password: ${FREE_WEIGHTS_PASSWORD}
    detect_fps: 5
    zones:
      rack-a:      {kind: rack, polygon: [[0.05, 0.30], [0.30, 0.30], [0.30, 0.60]], holds: {kettlebell: 4}}
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.6, 0.5], [0.9, 0.5], [0.9, 1.0], [0.6, 1.0]]}
      queue-1:     {kind: waiting, for: [treadmill-1], polygon: [[0.4, 0.8], [0.58, 0.8], [0.58, 1.0], [0.4, 1.0]]}
mqtt:     {url: "mqtt://127.0.0.1:1883"}
redis:    {url: "redis://127.0.0.1:6379/0"}
database: {url: "sqlite:///spotter-data/spotter.db"}
rules:    {enter_after: 3, leave_after: 15, use_after: 2, rest_after: 20, lost_after: 10}
privacy:  {stills: false, blur_people: true, keep_days: 30}
"""


def read(text: str, **environment: str) -> settings.Settings:
    return settings.loads(text, base=BASE, environment=environment)


def problems(text: str, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(text, **environment)
    return list(caught.value.problems)


def test_the_designs_file_is_read() -> None:
    gym = read(DESIGN, FREE_WEIGHTS_PASSWORD="geheim")
    camera = gym.cameras["free-weights"]
    assert camera.connection_uri() == "rtsp://viewer:geheim@10.0.0.11/stream2"
    assert gym.model == BASE / "models/weights/gym-yolov5n.onnx"
    assert gym.database_url == "sqlite:////gym/spotter-data/spotter.db"
    assert camera.zones["rack-a"].kind == "rack"


def test_no_secret_is_in_what_settings_print() -> None:
    gym = read(DESIGN, FREE_WEIGHTS_PASSWORD="geheim")
    assert "geheim" not in repr(gym) + str(gym) + gym.model_dump_json()


@pytest.mark.parametrize(
    ("text", "name", "uri"),
    [
        ("uri: clip.mp4", "camera", "/gym/clip.mp4"),
        ("uri: 0", "camera", 0),
        ("uri: rtsp://10.0.0.1/1", "camera", "rtsp://10.0.0.1/1"),
        ("cameras: {front: {uri: /films/a.mp4}}", "front", "/films/a.mp4"),
    ],
)
def test_one_cameras_address_is_a_complete_file(text: str, name: str, uri: str | int) -> None:
    gym = read(text)
    assert gym.site == "gym"
    assert {key: camera.uri for key, camera in gym.cameras.items()} == {name: uri}


def test_servers_come_from_the_environment_only_where_the_file_names_none() -> None:
    gym = read("uri: 0", SPOTTER_MQTT_URL="mqtt://spotter:pw@127.0.0.1:4000", SPOTTER_REDIS_URL="redis://r/0")
    assert gym.mqtt is not None
    assert (gym.mqtt.url, gym.mqtt.username) == ("mqtt://127.0.0.1:4000", "spotter")
    assert gym.mqtt.password is not None
    assert gym.mqtt.password.get_secret_value() == "pw"
    named = read("uri: 0\nmqtt: {url: 'mqtt://broker'}", SPOTTER_MQTT_URL="mqtt://127.0.0.1:4000")
    assert named.mqtt is not None
    assert named.mqtt.url == "mqtt://broker"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("uri: 0\nsit: a", "gym.yaml:2: sit: unknown setting; did you mean `site`?"),
        ("cameras:\n  a:\n    uri: 0\n    usename: x", "gym.yaml:4: cameras.a.usename: unknown setting; "),
        ("cameras:\n  a: {detect_fps: 5}", "gym.yaml:2: cameras.a.uri: missing; add it"),
        (
            "uri: 0\nrules:\n  enter_afer: 1",
            "gym.yaml:3: rules.enter_afer: unknown setting; did you mean `enter_after`?",
        ),
        ("uri: 0\nrules: {leave_after: -1}", "gym.yaml:2: rules.leave_after: "),
        ("uri: 0\ntimezone: Mars", "gym.yaml:2: timezone: not a time zone"),
        ("uri: 0\nengine: magic", "gym.yaml:2: engine: must be 'opencv'"),
        ("uri: 0\npassword: ${NOPE}", "gym.yaml:2: password: the environment has no NOPE; set it: export NOPE="),
        ("uri: rtsp://a:b@c/1", "gym.yaml:1: uri: keep credentials out of the address"),
        ("uri: 0\nuri: 1", "gym.yaml:2: uri: given twice"),
        ("uri: [", "gym.yaml:1: not valid YAML"),
        ("- a", "gym.yaml:1: settings are `name: value` lines"),
        ("cameras: {usage: {uri: 0}}", "gym.yaml:1: cameras: a camera can't be called usage"),
        ("cameras: {'a/b': {uri: 0}}", "gym.yaml:1: cameras.a/b: use letters, digits"),
        ("uri: 0\nzones:\n  z: {polygon: [[0,0],[1,0],[1,1]]}", "gym.yaml:3: zones.z: add `kind:`"),
        ("uri: 0\nzones:\n  z: {kind: sofa, polygon: [[0,0],[1,0],[1,1]]}", "gym.yaml:3: zones.z: kind must be one of"),
        ("uri: 0\nzones:\n  z: {kind: floor, polygon: [[0,0],[1,1]]}", "gym.yaml:3: zones.z.polygon"),
        ("uri: 0\nzones:\n  z: {kind: floor, polygon: [[0,0],[1,1],[0.5,0.5]]}", "the polygon has no area"),
        ("uri: 0\nzones:\n  z: {kind: floor, polygon: [[0,0],[1,2],[0,1]]}", "gym.yaml:3: zones.z.polygon.1.1"),
        ("uri: 0\nmqtt: {url: 'http://x'}", "gym.yaml:2: mqtt.url: give the broker as mqtt://host:port"),
        ("uri: 0\nmqtt: {url: 'mqtt://a:b@x'}", "gym.yaml:2: mqtt.url: keep credentials out of the address"),
        ("uri: 0\nmqtt: {ulr: 'mqtt://x'}", "gym.yaml:2: mqtt.ulr: unknown setting; did you mean `url`?"),
    ],
)
def test_a_mistake_is_named_at_its_line_with_the_mend(text: str, problem: str) -> None:
    found = problems(text)
    assert any(problem in line for line in found), found


def test_all_mistakes_are_named_at_once() -> None:
    assert len(problems("site: 'a b'\nrules: {enter_after: x}\ncamras: {}")) == 3


def test_a_missing_file_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such settings file"):
        settings.load(tmp_path / "gym.yaml")


def test_the_schema_accepts_what_the_reader_accepts() -> None:
    schema = settings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(DESIGN), schema)
    jsonschema.validate({"uri": "clip.mp4"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"urii": "clip.mp4"}, schema)


def test_every_setting_has_a_title_and_a_description() -> None:
    schema = settings_schema()
    for section in [schema, *schema["$defs"].values()]:
        for name, field in section.get("properties", {}).items():
            if name not in ("kind",):
                assert field.get("title") or "$ref" in field, name
                assert field.get("description"), name
