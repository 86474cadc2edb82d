"""`spotter doctor`: on any machine, and on one that looks like DeepStream's, with stand-ins for NVIDIA's parts."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.deepstream import configs, model_file, strict_pyds
from pipeline.deepstream.metadata import SERVICE_MAKER_FRAME, SERVICE_MAKER_OBJECT
from pipeline.doctor import dry_run, machine, nvidia
from pipeline.doctor.cli import doctor, examine
from pipeline.doctor.findings import Row, look
from spotter.settings import Settings, loads
from spotter.weights import weights_path

from ..broker import Mosquitto
from ..staging import write_clip
from ..weights import write_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_clip(tmp_path / "clip.mp4", 1, lambda at: [])
    write_weights(tmp_path / "model.onnx")
    return tmp_path


def run(folder: Path, text: str, *arguments: str) -> tuple[int, str]:
    (folder / "gym.yaml").write_text(f"model: model.onnx\n{text}")
    result = CliRunner().invoke(doctor, ["--config", str(folder / "gym.yaml"), *arguments])
    return result.exit_code, result.output


def test_a_machine_where_all_is_well(folder: Path, mosquitto: Mosquitto) -> None:
    code, output = run(folder, f"uri: clip.mp4\nmqtt: {{url: 'mqtt://127.0.0.1:{mosquitto.port}'}}")
    assert code == 0, output
    assert "failed" not in output
    for subject in ("settings", "data folder", "detector", "camera camera", "MQTT broker", "Redis", "database"):
        assert subject in output


def test_every_trouble_has_its_row_and_the_exit_code_tells(folder: Path) -> None:
    text = (
        "cameras:\n  gone: {uri: gone.mp4}\n  there: {uri: clip.mp4}\n  off: {uri: 'rtsp://127.0.0.1:1/x'}\n"
        "mqtt: {url: 'mqtt://127.0.0.1:1'}\nredis: {url: 'redis://127.0.0.1:1/0'}\n"
        "database: {url: 'postgresql+psycopg://spotter:geheim@127.0.0.1:1/spotter'}\n"
    )
    code, output = run(folder, text)
    assert code == 1
    flat = " ".join(output.split())
    assert "no such file" in flat
    assert flat.count("failed") >= 5
    assert "geheim" not in flat


def test_the_report_holds_no_secret(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CONNECT_SECONDS", 0.2)
    text = (
        "cameras:\n  door: {uri: 'rtsp://127.0.0.1:1/x', username: gatekeeper, password: opensesame}\n"
        "mqtt: {url: 'mqtt://127.0.0.1:1', username: broker-user, password: broker-word}\n"
        "redis: {url: 'redis://:redis-word@127.0.0.1:1/0'}\n"
        "database: {url: 'postgresql+psycopg://spotter:db-word@127.0.0.1:1/spotter'}\n"
    )
    code, output = run(folder, text, "--report", str(folder / "report.txt"))
    assert code == 1
    report = (folder / "report.txt").read_text(encoding="utf-8")
    assert "packages:" in report
    assert "camera door" in report
    for secret in ("opensesame", "gatekeeper", "broker-word", "broker-user", "redis-word", "db-word"):
        assert secret not in report
        assert secret not in output


def test_a_check_that_breaks_is_a_row() -> None:
    assert list(look("it", lambda: 1 / 0)) == [Row("it", "failed", "division by zero")]  # type: ignore[arg-type, return-value]


def test_a_box_without_nvidias_parts_is_told_what_is_missing(folder: Path) -> None:
    text = f"engine: deepstream\nuri: clip.mp4\ndeepstream: {{install: {folder}/none}}"
    code, output = run(folder, text, "--no-dry-run")
    flat = " ".join(output.split())
    assert code == 1
    for line in ("no NVIDIA GPU", "libnvinfer does not load", "not installed", "no such file"):
        assert line in flat
    assert "passes the lint" in flat


@pytest.fixture
def installation(folder: Path) -> Path:
    """Files as DeepStream installs them, as far as the doctor looks."""
    install = folder / "deepstream"
    (install / "lib").mkdir(parents=True)
    (install / "version").write_text("Version: DeepStream 7.1\n")
    (install / "lib" / "libnvds_infercustomparser.so").write_bytes(b"\x7fELF " + configs.PARSER.encode())
    (install / "lib" / "libnvds_nvmultiobjecttracker.so").write_bytes(b"\x7fELF")
    return install


def settings_of(folder: Path, install: Path) -> Settings:
    text = f"engine: deepstream\nuri: clip.mp4\ndeepstream: {{install: {install}, width: 1280, height: 720}}"
    return loads(text, base=folder)


def by_subject(rows: list[Row]) -> dict[str, Row]:
    return {row.subject: row for row in rows}


def test_versions_that_do_not_fit_are_told(folder: Path, installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyds", strict_pyds.module())
    monkeypatch.setattr(nvidia.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(nvidia.importlib.metadata, "version", lambda name: "1.2.2")
    monkeypatch.setattr(nvidia, "tensorrt_version", lambda: "10.3.0")
    rows = by_subject(list(nvidia.versions(settings_of(folder, installation))))
    assert rows["DeepStream"].detail == "7.1"
    assert rows["pyds"].state == "failed"
    assert "needs 1.2.0" in rows["pyds"].detail


def test_the_bindings_of_deepstream_9_are_searched_for_what_is_read(
    folder: Path, installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = folder / "pyservicemaker.py"
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def told(names: set[str]) -> Row:
        fields = "".join(f"    {name} = None\n" for name in names)
        module.write_text(f"class Operator:\n    handle_metadata = None\n\nclass Item:\n{fields}")
        return by_subject(list(nvidia.versions(settings_of(folder, installation))))["pyservicemaker"]

    every = SERVICE_MAKER_FRAME | SERVICE_MAKER_OBJECT
    assert told(set(every)).state == "fine"
    lacking = told(every - {"object_id", "buffer_pts"})
    assert (lacking.state, lacking.detail) == ("warning", "none of its classes has buffer_pts, object_id")
    module.write_text("raise ImportError('libnvds_meta.so is not there')")
    row = by_subject(list(nvidia.versions(settings_of(folder, installation))))["pyservicemaker"]
    assert row.detail == "ImportError: libnvds_meta.so is not there"


def test_parser_and_tracker_files_are_looked_into(folder: Path, installation: Path) -> None:
    settings = settings_of(folder, installation)
    assert nvidia.parser(settings).state == "fine"
    (installation / "lib" / "libnvds_infercustomparser.so").write_bytes(b"\x7fELF")
    assert "has no NvDsInferParseCustomBatchedNMSTLT" in nvidia.parser(settings).detail
    sample = installation / nvidia._SAMPLE_TRACKER
    sample.parent.mkdir(parents=True)
    sample.write_text(configs.tracker_config(settings))
    assert nvidia._tracker_keys(settings).state == "fine"
    sample.write_text(configs.tracker_config(settings).replace("probationAge", "probationAges"))
    assert "TargetManagement.probationAge" in nvidia._tracker_keys(settings).detail


def test_the_dry_run_finds_what_onnx_runtime_found(
    folder: Path, installation: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    from ..gst import gstreamer

    gstreamer()
    from spotter.detector import Detector

    from . import stand_ins

    expected = json.loads(dry_run.EXPECTED.read_text(encoding="utf-8"))
    if hashlib.sha256(weights_path(None).read_bytes()).hexdigest() != expected["weights"]:
        pytest.skip("expected.json is of other weights: python -m pipeline.doctor.expected")
    stand_ins.register()
    detector = Detector(weights_path(None), threads=1)
    stand_ins.finders.append(lambda image: detector.detect([image])[0])
    request.addfinalizer(stand_ins.finders.pop)
    monkeypatch.setitem(sys.modules, "pyds", strict_pyds.module())
    monkeypatch.setattr(model_file, "gpu_name", lambda number=0: "NVIDIA Stand-in")
    settings = settings_of(folder, installation)
    rows = by_subject(
        [row for row in examine(settings, seconds=5) if row.subject.split()[0] in ("dry", "previews", "TensorRT")]
    )
    assert rows["dry run"].state == "fine", rows
    assert rows["previews"].state == "fine", rows
    compared = rows["TensorRT against ONNX Runtime"]
    assert (compared.state, compared.detail) == ("fine", f"all {len(expected['objects'])} objects are the same")
    names = by_subject(list(nvidia.elements(settings)))
    assert {row.state for row in names.values()} == {"fine"}
    assert (
        "has all that 9.1 lists" in names["element nvinfer"].detail or "unlike 9.1" in names["element nvinfer"].detail
    )
