"""gym.yaml: short files are complete, every mistake is named at its line with the mend."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from spotter import settings
from spotter.commands.config import config, missing_files, settings_schema
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
        ("uri: 0\nredis: {url: foo}", "gym.yaml:2: redis.url: give the server as redis://host:port/0"),
        ("uri: 0\nredis: {url: 'redis://h:geheim'}", "gym.yaml:2: redis.url: give the server as redis://host:port/0"),
        ("uri: 0\ndatabase: {url: 'mysqll://a:b@c/d'}", "gym.yaml:2: database.url: give the database as sqlite:///"),
        ("uri: 0\ndatabase: {url: 'postgresql://a:b@c:x/d'}", "gym.yaml:2: database.url: give the database as "),
        ("uri: -1", "gym.yaml:1: uri: give a path, an address or a webcam's number"),
        ("uri: 1.5", "gym.yaml:1: uri: give a path, an address or a webcam's number"),
        ("uri: true", "gym.yaml:1: uri: give a path, an address or a webcam's number"),
        ("cameras: {a: {uri: 0}}\nuri: 1", "gym.yaml:2: uri: belongs to a camera; put it under the camera's name in "),
        (
            "uri: rtsp://user@host/1\nusername: u",
            "gym.yaml:1: uri: keep credentials out of the address: use `username:`",
        ),
        ("uri: 0\ndetect_fps: 0", "gym.yaml:2: detect_fps: must be more than 0"),
        ("uri: 0\ndetect_fps: 90", "gym.yaml:2: detect_fps: must be 60 or less"),
        ("uri: 0\nshards: 0", "gym.yaml:2: shards: must be 1 or more"),
        ("uri: 0\nshards: 1.5", "gym.yaml:2: shards: must be a whole number such as 2"),
        ("uri: 0\nshards: x", "gym.yaml:2: shards: must be a whole number such as 2"),
        ("uri: 0\ndetector: {iou: 1}", "gym.yaml:2: detector.iou: must be less than 1"),
        ("uri: 0\ndetector: {iou: x}", "gym.yaml:2: detector.iou: must be a number such as 2.5"),
        ("uri: 0\ndetector: {iou: []}", "gym.yaml:2: detector.iou: must be a number such as 2.5"),
        ("uri: 0\ndetector:", "gym.yaml:2: detector: must be `name: value` lines"),
        ("uri: 0\nloop: perhaps", "gym.yaml:2: loop: must be true or false"),
        ("uri: 0\nsite: 5", "gym.yaml:2: site: must be text; put it in quotes"),
        ("uri: 0\nzones:\n  z: {kind: floor, polygon: [[0,0],[1,1]]}", "zones.z.polygon: give at least 3"),
        ("uri: 0\na: &a [*a]", "gym.yaml:2: not valid YAML: an alias holds itself; write its value out"),
        ("uri: 0\n? [a]\n: b", "gym.yaml:2: not valid YAML: a name must be one word"),
        ("uri: 0\nzones: " + "[" * 5000, "gym.yaml:2: not valid YAML: nested too deeply"),
        ("uri: rtsp://[::1/x", "gym.yaml:1: uri: give the camera as rtsp://host:port/path"),
        ("uri: 0\nmqtt: {url: 'mqtt://[::1'}", "gym.yaml:2: mqtt.url: give the broker as mqtt://host:port"),
        ("uri: 0\nmqtt: {url: 'mqtt://host:99999'}", "gym.yaml:2: mqtt.url: give the broker as mqtt://host:port"),
        ("uri: 0\nmqtt: {ulr: 'mqtt://x'}", "gym.yaml:2: mqtt.ulr: unknown setting; did you mean `url`?"),
    ],
)
def test_a_mistake_is_named_at_its_line_with_the_mend(text: str, problem: str) -> None:
    found = problems(text)
    assert any(problem in line for line in found), found


@pytest.mark.parametrize(
    ("variable", "mend"),
    [
        ("SPOTTER_MQTT_URL", "give the broker as"),
        ("SPOTTER_REDIS_URL", "give the server as"),
        ("SPOTTER_DATABASE_URL", "give the database as"),
    ],
)
def test_a_bad_address_in_the_environment_is_named_by_its_variable(variable: str, mend: str) -> None:
    found = problems("uri: 0", **{variable: "nonsense"})
    assert len(found) == 1
    assert found[0].startswith(f"{variable}: {mend}")


def test_a_bad_corner_is_one_mistake() -> None:
    assert problems("uri: 0\nzones:\n  z: {kind: floor, polygon: [[0,0],[2,1],[0,1]]}") == [
        "gym.yaml:3: zones.z.polygon.1.0: must be 1 or less"
    ]


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ("redis", "redis://:pw@127.0.0.1:6379/0"),
        ("redis", "rediss://cache"),
        ("redis", "unix:///run/redis.sock?db=1"),
        ("database", "sqlite:////data/spotter.db"),
        ("database", "postgresql://spotter@db/spotter"),
        ("database", "postgresql+psycopg://spotter:p#w/1@db:5432/spotter?sslmode=require"),
        ("database", "postgresql+psycopg:///spotter?host=/run/postgresql"),
    ],
)
def test_servers_addresses_are_read(section: str, url: str) -> None:
    gym = read(f"uri: 0\n{section}: {{url: '{url}'}}")
    assert getattr(gym, section).url.get_secret_value() == url


@pytest.mark.parametrize("text", ["redis: {url: 'redis://:geheim@[h'}", "database: {url: 'mysqll://a:geheim@c/d'}"])
def test_a_refused_address_is_not_shown(text: str) -> None:
    assert "geheim" not in "".join(problems(f"uri: 0\n{text}"))


def test_an_alias_repeats_a_zone_but_can_not_fill_the_memory() -> None:
    gym = read(
        "cameras:\n  a: {uri: 0, zones: &z {f: {kind: floor, polygon: [[0,0],[1,0],[1,1]]}}}\n  b: {uri: 1, zones: *z}"
    )
    assert gym.cameras["a"].zones == gym.cameras["b"].zones
    laughs = ["a0: &a0 [ha]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (problem,) = problems("\n".join(laughs))
    assert "more than 100000 values; use fewer aliases" in problem


def test_missing_files_are_named_as_written_beside_other_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "gym.yaml"
    for text, expected in [
        ("uri: no.mp4", [f"{file}:1: uri: no such file: {tmp_path}/no.mp4"]),
        (
            "uri: 0\nmqtt: {url: 'mqtts://a', ca_file: no.pem}",
            [f"{file}:2: mqtt.ca_file: no such file: {tmp_path}/no.pem"],
        ),
        (
            "model: no.onnx\ncameras:\n  front:\n    uri: no.mp4\nsit: a",
            [f"{file}:5: sit: unknown", f"{file}:1: model: no such", f"{file}:4: cameras.front.uri: no such file"],
        ),
    ]:
        file.write_text(text)
        result = CliRunner().invoke(config, ["check", str(file)])
        assert isinstance(result.exception, SettingsError)
        found = list(result.exception.problems)
        assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == expected
    file.write_text("uri: no.mp4")
    missing = missing_files(settings.load(file), file)
    assert missing["camera"].startswith(f"{file}:1: uri: no such file")


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
