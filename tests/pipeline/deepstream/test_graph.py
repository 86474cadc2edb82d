"""The graph and the configurations as data: what NVIDIA's elements would refuse is found before they do."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import pipeline as pipeline_command
from pipeline.deepstream import configs, model_file
from pipeline.deepstream.graph import MUX, Setting, build, files_of, wants_new_mux
from pipeline.deepstream.listed import VERSIONS, infer_keys, problems, properties
from pipeline.deepstream.printing import shown
from spotter.errors import SettingsError, SpotterError, WeightsError
from spotter.settings import Settings, loads

pytest.importorskip("onnx", reason="onnx is not installed")

TEXT = """
site: downtown
engine: deepstream
cameras:
  door: {uri: "rtsp://10.0.0.11/stream2", username: viewer, password: geheim}
  floor: {uri: "rtsp://10.0.0.12/stream2"}
  clip: {uri: clip.mp4, loop: true}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return loads(TEXT, base=tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("new_mux", [False, True])
def test_the_graph_asks_for_nothing_that_deepstream_has_not(settings: Settings, version: str, new_mux: bool) -> None:
    graph = build(settings, new_mux=new_mux)
    assert problems(graph, version) == []
    kinds = [element.kind for element in graph.elements]
    chain = ["nvstreammux", "queue", "nvinfer", "nvtracker", "tee", "queue", "fakesink"]
    view = ["valve", "queue", "nvvideoconvert", "capsfilter", "fakesink"]
    assert kinds == ["nvurisrcbin"] * 3 + chain + view
    assert [link.target for link in graph.links if link.source == "split"] == ["sink-queue", "view-valve"]
    assert [link.target_pad for link in graph.links if link.target == MUX] == ["sink_0", "sink_1", "sink_2"]
    has_size = {"width", "height"} <= {setting.name for setting in graph.element(MUX).settings}
    assert has_size is not new_mux


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        (Setting("widht", 1920, ""), "does not exist"),
        (Setting("width", -1, ""), "goes from 0"),
        (Setting("width", "wide", ""), "is a uint"),
        (Setting("live-source", 1, ""), "is a boolean"),
        (Setting("nvbuf-memory-type", 9, ""), "is one of 0, 1, 2, 3, 4"),
    ],
)
def test_a_mistake_in_the_graph_is_named(settings: Settings, setting: Setting, problem: str) -> None:
    graph = build(settings)
    wrong = [
        dataclasses.replace(element, settings=(setting,)) if element.name == MUX else element
        for element in graph.elements
    ]
    found = problems(dataclasses.replace(graph, elements=tuple(wrong)), "9.1")
    assert len(found) == 1
    assert problem in found[0]
    assert found[0].startswith("DeepStream 9.1: mux (nvstreammux.old): ")


def test_every_setting_has_its_reason(settings: Settings) -> None:
    for new_mux in (False, True):
        for element in build(settings, new_mux=new_mux).elements:
            for setting in element.settings:
                assert len(setting.why) > 5, (element.name, setting.name)
                assert "\n" not in setting.why


def test_reconnection_is_as_nvurisrcbin_demands(settings: Settings) -> None:
    for name in ("camera-0", "camera-1"):
        own = {setting.name: setting.value for setting in build(settings).element(name).settings}
        assert own["rtsp-reconnect-interval"] > 0
        assert own["rtsp-reconnect-attempts"] == -1
        assert own["select-rtp-protocol"] == 4
    file = {setting.name: setting.value for setting in build(settings).element("camera-2").settings}
    assert file["file-loop"] is True
    assert str(file["uri"]).startswith("file:///")


def test_the_new_muxer_is_chosen_by_exactly_one_word() -> None:
    assert wants_new_mux({"USE_NEW_NVSTREAMMUX": "yes"})
    for other in ("Yes", "1", "true", ""):
        assert not wants_new_mux({"USE_NEW_NVSTREAMMUX": other})


def test_no_password_is_ever_shown(settings: Settings) -> None:
    graph = build(settings)
    assert "geheim" in str(graph.element("camera-0").settings[0].value)
    for form in ("text", "dot", "gst-launch"):
        text = shown(graph, form)
        assert "geheim" not in text
        assert "10.0.0.11" in text


@pytest.mark.parametrize("form", ["text", "dot", "gst-launch"])
def test_the_command_prints_the_graph(tmp_path: Path, form: str) -> None:
    config = tmp_path / "gym.yaml"
    config.write_text(TEXT)
    run = CliRunner().invoke(pipeline_command, ["--config", str(config), "--print-graph", "--as", form])
    assert run.exit_code == 0, run.output
    for kind in ("nvurisrcbin", "nvstreammux", "nvinfer", "nvtracker", "fakesink", "nvvideoconvert"):
        assert kind in run.output
    if form == "gst-launch":
        assert "name=split ! queue" in run.output
        assert "split. ! valve" in run.output
    if form == "dot" and (dot := shutil.which("dot")):
        subprocess.run([dot, "-Tsvg"], input=run.output, text=True, check=True, capture_output=True)


def test_webcams_are_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="webcam 0"):
        build(loads("engine: deepstream\nuri: 0", base=tmp_path))


def test_the_lists_hold_what_the_reference_names() -> None:
    assert "simulate-fps-interval-ms" in properties("9.1")["nvurisrcbin"]
    assert "simulate-fps-interval-ms" not in properties("7.1")["nvurisrcbin"]
    assert "width" not in properties("9.1")["nvstreammux.new"]
    assert "cluster-mode" in infer_keys()


@pytest.fixture
def config_text(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr(model_file, "gpu_name", lambda number: "NVIDIA Jetson Orin NX")
    monkeypatch.setattr(model_file, "tensorrt_version", lambda: "10.3.0")
    return configs.infer_config(settings, model_file.prepare(settings), tmp_path / "labels.txt")


def test_the_written_configuration_passes_its_own_lint(config_text: str, settings: Settings) -> None:
    assert configs.lint(config_text) == []
    own = configs.parse(config_text)
    assert own["property"]["batch-size"] == "8"
    assert own["property"]["num-detected-classes"] == "9"
    assert own["property"]["infer-dims"] == "3;640;640"
    assert own["property"]["parse-bbox-func-name"] == "NvDsInferParseCustomBatchedNMSTLT"
    assert own["class-attrs-all"] == {"pre-cluster-threshold": "0.1", "nms-iou-threshold": "0.725", "topk": "300"}
    engine = Path(own["property"]["model-engine-file"])
    assert engine.parent.name == "nvidia-jetson-orin-nx-trt10.3.0"
    assert engine.name == Path(own["property"]["onnx-file"]).name + "_b8_gpu0_fp16.engine"


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("cluster-mode=2", "clustermode=2", "clustermode: no such key"),
        ("cluster-mode=2", "# none", "cluster-mode must be set"),
        ("crop-objects-to-roi-boundary=1", "crop-objects-to-roi-boundary=0", "lower edge"),
        (
            "[class-attrs-0]\npre-cluster-threshold=0.1",
            "[class-attrs-0]\npre-cluster-threshold=0.4",
            "below class 0's 0.4",
        ),
        ("[class-attrs-all]", "[class-attributes]", "no section"),
        ("[property]", "property", "nvinfer configuration"),
    ],
)
def test_the_lint_names_what_nvinfer_would_not(config_text: str, before: str, after: str, problem: str) -> None:
    assert before in config_text
    assert any(problem in line for line in configs.lint(config_text.replace(before, after)))


def test_the_model_is_given_its_tail_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "gpu_name", lambda number: None)
    monkeypatch.setattr(model_file, "tensorrt_version", lambda: None)
    first = model_file.prepare(settings)
    assert first.path.parent.name == "unknown-gpu-trt0"
    stamp = first.path.stat().st_mtime_ns
    assert model_file.prepare(settings) == first
    assert first.path.stat().st_mtime_ns == stamp
    other = settings.model_copy(
        update={"model": first.path, "detector": settings.detector.model_copy(update={"iou": 0.6})}
    )
    with pytest.raises(WeightsError, match=r"export it with `--iou 0.6`"):
        model_file.prepare(other)
    int8 = settings.model_copy(update={"deepstream": settings.deepstream.model_copy(update={"precision": "int8"})})
    with pytest.raises(WeightsError, match="no Q/DQ nodes"):
        model_file.prepare(int8)


def test_an_engine_folder_that_can_not_be_written_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = settings.deepstream.model_copy(update={"engines": tmp_path / "file" / "engines"})
    with pytest.raises(SpotterError, match="mount it writable"):
        model_file.prepare(settings.model_copy(update={"deepstream": blocked}))


def test_tensorrt_versions_are_read_as_they_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_file._version(100300) == "10.3.0"
    assert model_file._version(8602) == "8.6.2"


def test_the_tracker_file_is_yaml_with_the_products_own_times(settings: Settings) -> None:
    import yaml

    from pipeline import tracking

    text = configs.tracker_config(settings)
    first, rest = text.split("\n", 1)
    assert first == "%YAML:1.0"
    own = yaml.safe_load(rest)
    assert own["TargetManagement"]["maxShadowTrackingAge"] == 50
    assert own["DataAssociator"]["tentativeDetectorConfidence"] == settings.detector.confidence
    assert (configs.FAINT_SCORE, configs.LOST_SECONDS) == (tracking.FAINT_SCORE, tracking.LOST_SECONDS)
    assert files_of(settings).tracker_config.name == "tracker.yml"
