"""Reading official checkpoints: the same numbers as the original, and nothing of the file is ever run."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.yolov5.checkpoint import CheckpointError, read_checkpoint

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
OFFICIAL = SHARED / "weights" / "yolov5n.pt"
needs_official = pytest.mark.skipif(not OFFICIAL.is_file(), reason="../shared/data/weights/yolov5n.pt is absent")


def archive(path: Path, program: bytes, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", program)
        for name, data in entries.items():
            file.writestr(f"archive/data/{name}", data)
    return path


class Runs:
    """Pickles to a call, as a hostile checkpoint would."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call


@needs_official
def test_official_checkpoint_gives_the_outputs_of_the_original() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed ([train] extra)")
    from models.yolov5.checkpoint import load_checkpoint

    network = load_checkpoint(OFFICIAL).fuse()
    reference = np.load(SHARED / "reference" / "yolov5n_random.npz")
    image = np.random.default_rng(0).random((1, 3, 640, 640), dtype=np.float32)
    with torch.no_grad():
        outputs = network(torch.from_numpy(image))[0].numpy()
    assert outputs.shape == (25200, 85)
    wanted = reference["outputs"]
    relative = np.abs(outputs[reference["rows"]] - wanted) / np.maximum(np.abs(wanted), 1e-6)
    assert relative.max() < 1e-3


@needs_official
def test_official_checkpoint_finds_what_the_original_finds_on_photos(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed ([train] extra)")
    import cv2

    from models.export import export
    from models.metrics import box_iou
    from models.yolov5.checkpoint import load_checkpoint
    from spotter.detector import Detector

    export(load_checkpoint(OFFICIAL), tmp_path / "coco.onnx")
    detector = Detector(tmp_path / "coco.onnx", threads=1)
    for photo in json.loads((SHARED / "reference" / "yolov5n_photos.json").read_text()):
        (path,) = (SHARED / "photos").rglob(photo["file"])
        found = detector.detect([cv2.imread(str(path))])[0]
        assert sorted(found.data["class_name"]) == sorted(d["label"] for d in photo["detections"])
        for wanted in photo["detections"]:
            overlap = box_iou(found.xyxy, np.array([wanted["box"]]))[:, 0]
            assert overlap.max() > 0.95
            assert abs(found.confidence[overlap.argmax()] - wanted["score"]) < 0.03


@needs_official
def test_reading_needs_no_torch_and_knows_labels_and_size() -> None:
    checkpoint = read_checkpoint(OFFICIAL)
    assert checkpoint.size == "n"
    assert len(checkpoint.labels) == 80
    assert checkpoint.labels[0] == "person"
    assert checkpoint.tensors["model.0.conv.weight"].shape == (16, 3, 6, 6)


def test_a_pickle_that_names_anything_else_is_refused_by_name_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for i, hostile in enumerate([Runs(os.system, f"touch {trace}"), Runs(eval, f"open({str(trace)!r}, 'w')")]):
        for protocol in (2, 4):
            path = archive(tmp_path / f"{i}-{protocol}.pt", pickle.dumps({"model": hostile}, protocol=protocol))
            with pytest.raises(
                CheckpointError, match=r"refused, because it names (posix\.system|(__builtin__|builtins)\.eval)"
            ):
                read_checkpoint(path)
    assert not trace.exists()


def test_a_name_that_only_looks_like_yolov5_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pt", b"\x80\x02cmodels.common\nConv\nq\x00)\x81}b.".replace(b"Conv", b"Conv.__init__"))
    with pytest.raises(CheckpointError, match=r"models\.common\.Conv\.__init__"):
        read_checkpoint(path)


def test_a_tensor_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    # _rebuild_tensor_v2(storage of 4 halves, offset 0, shape (1000,), stride (1,))
    program = (
        b"\x80\x02}X\x05\x00\x00\x00modelctorch._utils\n_rebuild_tensor_v2\n("
        b"(X\x07\x00\x00\x00storagectorch\nHalfStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
        b"K\x00(M\xe8\x03t(K\x01t\x89NtRs."
    )
    path = archive(tmp_path / "a.pt", program, **{"0": bytes(8)})
    with pytest.raises(CheckpointError, match="beyond its storage"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"", "not a readable"), (b"not a zip", "not a readable"), (b"PK\x03\x04" + bytes(40), "not a readable")],
)
def test_a_file_that_is_no_checkpoint_is_one_clear_line(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=cause) as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(tmp_path / "none.pt")


@needs_official
@settings(max_examples=60, deadline=None)
@given(cut=st.floats(0, 0.999), flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=6))
def test_damaged_checkpoints_are_clean_errors(cut: float, flips: list[tuple[float, int]]) -> None:
    """The pickle is cut and bytes of it are changed; whatever comes, it is a CheckpointError or a checkpoint."""
    import tempfile

    with zipfile.ZipFile(OFFICIAL) as file:
        program = bytearray(file.read("archive/data.pkl"))
    if not flips:
        program = program[: int(len(program) * cut)]
    for at, value in flips:
        program[int(at * 3000)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = archive(Path(folder) / "a.pt", bytes(program))
        with pytest.raises(CheckpointError):
            read_checkpoint(path)


@settings(max_examples=150, deadline=None)
@given(program=st.binary(max_size=200))
def test_random_pickles_are_clean_errors(program: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.raises(CheckpointError):
        read_checkpoint(archive(Path(folder) / "a.pt", program))
