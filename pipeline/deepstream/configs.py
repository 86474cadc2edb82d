"""The files that nvinfer and nvtracker read, written from the settings and the model's own metadata, and their lint."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.deepstream.listed import infer_keys
from pipeline.deepstream.model_file import ModelFile
from spotter.settings import Settings

PARSER = "NvDsInferParseCustomBatchedNMSTLT"
"""The stock parser whose outputs `spotter.nvinfer_tail` makes."""

PARSER_LIBRARY = Path("lib/libnvds_infercustomparser.so")

LEAST_SCORE = 0.1
"""What nvinfer gives on, as the CPU engine's detector does: less than any track takes."""

FAINT_SCORE = 0.2
"""As `pipeline.tracking.FAINT_SCORE`: a box this faint may continue a track."""

LOST_SECONDS, CONFIRMED_AFTER = 2.0, 2
"""As in `pipeline.tracking`: how long an unseen track keeps its id, and from how many looks in a row on it is one."""

USUAL_FPS = 25
"""nvtracker counts in frames."""

_PRECISIONS = {"fp32": 0, "int8": 1, "fp16": 2}
_MOST_PER_CLASS = 300


@dataclass(frozen=True, slots=True)
class Line:
    """A key of nvinfer's configuration, and why."""

    key: str
    value: str
    why: str


def infer_config(settings: Settings, model: ModelFile, labels: Path) -> str:
    """Nvinfer's configuration (INI). `model` has the tail; `labels` is where its class names are, one a line."""
    parser = settings.deepstream.install / PARSER_LIBRARY
    quantised = settings.deepstream.precision == "int8"
    lines = [
        Line("gpu-id", str(settings.deepstream.gpu), "the same GPU as all others"),
        *(
            []
            if quantised
            else [Line("onnx-file", str(model.path), "what the engine is built from where there is none")]
        ),
        Line("model-engine-file", str(model.engine(settings)), "used where it fits; else built and kept right there"),
        Line("labelfile-path", str(labels), "one name a line, in the order of the classes"),
        Line("batch-size", str(settings.deepstream.max_cameras), "the most cameras"),
        Line("network-mode", str(_PRECISIONS[settings.deepstream.precision]), "0 FP32, 1 INT8, 2 FP16"),
        Line("network-type", "0", "a detector"),
        Line("process-mode", "1", "whole pictures"),
        Line("gie-unique-id", "1", "left alone it is 15"),
        Line("infer-dims", f"3;{model.height};{model.width}", "the input: channels, height, width"),
        Line("net-scale-factor", "0.00392156862745098", "1/255"),
        Line("offsets", "0;0;0", "nothing is taken off before"),
        Line("model-color-format", "0", "RGB"),
        Line("maintain-aspect-ratio", "1", "letterbox"),
        Line("symmetric-padding", "1", "centred, as in training"),
        Line("scaling-filter", "1", "bilinear; 0 would take the nearest pixel"),
        Line("num-detected-classes", str(len(model.labels)), "from the model's metadata"),
        Line("cluster-mode", "2", "suppression; left alone, 20 objects are kept in all"),
        Line("parse-bbox-func-name", PARSER, "reads the tail's four outputs; NVIDIA ships it"),
        Line("custom-lib-path", str(parser), "where it is"),
        Line("interval", "0", "every batch is looked at: the tracker does not look at pixels"),
        Line("output-tensor-meta", "0", "only objects are handed on"),
        Line("crop-objects-to-roi-boundary", "1", "or whoever stands at the lower edge is dropped"),
    ]
    text = "# Written by spotter from gym.yaml at every start: change the settings, not this file.\n[property]\n"
    text += "".join(f"# {line.why}\n{line.key}={line.value}\n" for line in lines)
    text += "\n[class-attrs-all]\n" + _class_lines(settings, LEAST_SCORE)
    for number in range(len(model.labels)):  # one section a class, so that a site can be given its own by hand
        text += f"\n[class-attrs-{number}]\n" + _class_lines(settings, LEAST_SCORE)
    return text


def left_to_nvinfer(iou: float) -> float:
    """The overlap from which nvinfer's own suppression is to begin, where the tail's begins at `iou`.

    Not at the same: the stock parser cuts boxes at the picture's edge first, where two that were apart may come to lie
    on each other. What the tail may leave of a long chain lies closer, as a rule.
    """
    return (1 + iou) / 2


def _class_lines(settings: Settings, least: float) -> str:
    overlap = left_to_nvinfer(settings.detector.iou)
    return f"pre-cluster-threshold={least:g}\nnms-iou-threshold={overlap:g}\ntopk={_MOST_PER_CLASS}\n"


def tracker_config(settings: Settings) -> str:
    """Nvtracker's configuration (YAML): NvSORT, with this product's own times and scores.

    Association by overlap and size, in two rounds as ByteTrack does it: faint boxes continue tracks, and begin none.
    """
    shadow = round(LOST_SECONDS * USUAL_FPS)
    return f"""%YAML:1.0
# Written by spotter from gym.yaml at every start: change the settings, not this file.
BaseConfig:
  minDetectorConfidence: {FAINT_SCORE}   # fainter boxes are not followed
TargetManagement:
  enableBboxUnClipping: 0
  maxTargetsPerStream: 150   # memory on the GPU is taken for so many
  minIouDiff4NewTarget: 0.5   # what overlaps a followed box by more begins no second track
  minTrackerConfidence: {FAINT_SCORE}
  probationAge: {CONFIRMED_AFTER}   # looks in a row: single ones are mostly mistakes
  maxShadowTrackingAge: {shadow}   # frames: {LOST_SECONDS:g} s at {USUAL_FPS} a second
  earlyTerminationAge: 1
TrajectoryManagement:
  useUniqueID: 0   # ids are told apart by camera here
DataAssociator:
  dataAssociatorType: 0
  associationMatcherType: 1   # clear boxes first, then faint ones
  checkClassMatch: 1   # a person is never taken for an item
  minMatchingScore4Overall: 0.1
  minMatchingScore4SizeSimilarity: 0.2   # a swung kettlebell changes its box
  minMatchingScore4Iou: 0.0
  matchingScoreWeight4SizeSimilarity: 0.4
  matchingScoreWeight4Iou: 0.6
  tentativeDetectorConfidence: {settings.detector.confidence:g}   # fainter boxes only continue tracks
  minMatchingScore4TentativeIou: 0.2
StateEstimator:
  stateEstimatorType: 2   # a Kalman filter over box and speed
  noiseWeightVar4Loc: 0.05
  noiseWeightVar4Vel: 0.00625
  useAspectRatio: 1
"""


class _CaseKept(configparser.ConfigParser):
    """Keys such as minBoxes keep their case."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def parse(text: str) -> Mapping[str, Mapping[str, str]]:
    """Nvinfer's configuration as sections of keys."""
    reader = _CaseKept(interpolation=None, strict=True)
    reader.read_string(text)
    return {section: dict(reader[section]) for section in reader.sections()}


def lint(text: str) -> list[str]:
    """What is wrong with a configuration of nvinfer, a line each: it would only warn, or fail without a reason."""
    try:
        config = parse(text)
    except configparser.Error as error:
        return [f"nvinfer configuration: {str(error).splitlines()[0]}"]
    found = [
        f"nvinfer configuration: [{section}] {key}: no such key"
        for section, keys in config.items()
        for key in keys
        if key not in infer_keys()
    ]
    found += [
        f"nvinfer configuration: no section [{section}] is known"
        for section in config
        if section != "property" and not section.startswith("class-attrs-")
    ]
    own = config.get("property", {})
    found += [f"nvinfer configuration: {key} must be set: {why}" for key, why in _NEEDED.items() if key not in own]
    if own.get("maintain-aspect-ratio") == "1" and own.get("crop-objects-to-roi-boundary") != "1":
        found.append(
            "nvinfer configuration: crop-objects-to-roi-boundary must be 1, or objects at the lower edge are dropped"
        )
    if not ("onnx-file" in own or "model-engine-file" in own):
        found.append("nvinfer configuration: neither onnx-file nor model-engine-file is set")
    found += _thresholds(config)
    return found


_NEEDED = {
    "cluster-mode": "left alone, 20 objects are kept in all",
    "gie-unique-id": "left alone it is 15",
    "infer-dims": "the model may leave its input's size open",
    "num-detected-classes": "the parser asserts it",
    "parse-bbox-func-name": "else nvinfer looks for outputs of other networks",
    "custom-lib-path": "else the parser is not found",
    "batch-size": "left alone it is 1",
}


def _thresholds(config: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The stock parser takes class 0's threshold for all: no other may be lower."""
    common = float(config.get("class-attrs-all", {}).get("pre-cluster-threshold", 0.2))
    first = float(config.get("class-attrs-0", {}).get("pre-cluster-threshold", common))
    return [
        f"nvinfer configuration: [{section}] pre-cluster-threshold {keys['pre-cluster-threshold']} is below class 0's "
        f"{first:g}, which the stock parser takes for all classes"
        for section, keys in config.items()
        if section.startswith("class-attrs-") and float(keys.get("pre-cluster-threshold", first)) < first
    ]
