"""`spotter model import` and the registry's commands: what is taken in, and what is refused by name."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from models.cli import model
from models.labels import GYM_LABELS
from spotter.detector import Detector
from spotter.errors import SettingsError, SpotterError, WeightsError
from spotter.model_store import ModelStore

torch = pytest.importorskip("torch", reason="torch is not installed ([train] extra)")
onnx = pytest.importorskip("onnx", reason="onnx is not installed ([train] extra)")

from models.registry import Adoption, adopt, name_of  # noqa: E402
from models.yolov5.anchor_free import YoloV5u  # noqa: E402
from models.yolov5.checkpoint import CheckpointError, load_checkpoint  # noqa: E402
from models.yolov5.network import YoloV5  # noqa: E402

from .colab import foreign, randomised, write  # noqa: E402

pytestmark = pytest.mark.timeout(600)  # seconds of work, on a machine that may be busy

LABELS = ("YogaBlock", "Kettlebell", "Sled")
SHIPPED = Path(__file__).resolve().parents[2] / "models" / "weights" / "gym-yolov5n.onnx"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small networks on a busy machine: several threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def call(*arguments: object) -> str:
    result = CliRunner().invoke(model, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("kind", "variant"), [(YoloV5, "n"), (YoloV5, "n6"), (YoloV5u, "n"), (YoloV5u, "n6")])
def test_a_checkpoint_is_read_as_the_network_that_was_trained(kind: type[YoloV5], variant: str, tmp_path: Path) -> None:
    trained = randomised(kind(LABELS, variant)).half().float()  # a checkpoint holds halves
    network = load_checkpoint(write(trained, tmp_path / "best.pt", interrupted=variant == "n6"))
    assert (type(network), network.variant, network.labels) == (kind, variant, LABELS)
    x = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(network(x), trained(x))


def test_an_imported_checkpoint_is_a_detector_with_the_same_outputs(tmp_path: Path) -> None:
    path = write(randomised(YoloV5u(LABELS)), tmp_path / "best.pt")
    call("import", path, "--name", "mine", "--size", 64, "--models", tmp_path / "models")
    detector = Detector(tmp_path / "models" / "mine" / "model.onnx", threads=1)
    assert detector.layout == "no_objectness"
    assert detector.labels == ("yoga_block", "kettlebell", "Sled")
    x = np.random.default_rng(0).random((2, 3, 64, 64), dtype=np.float32)
    with torch.no_grad():
        wanted = load_checkpoint(path)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(detector.infer(x), wanted, rtol=1e-3, atol=2e-3)


def test_every_size_has_its_own_width() -> None:
    from models.yolov5.checkpoint import _LETTERS

    assert _LETTERS == {16: "n", 32: "s", 48: "m", 64: "l", 80: "x"}
    with torch.device("meta"):
        largest = YoloV5(LABELS, "x6")
    assert len(largest.model[2].m) == 4
    assert largest.head.strides == (8, 16, 32, 64)


def test_classes_get_the_names_of_the_catalogue_and_the_card_tells(tmp_path: Path) -> None:
    names = [
        "person",
        "Kettlebell",
        "MedBall",
        "FoamRoller",
        "YogaBlock",
        "LacrosseBall",
        "AquaBall",
        "GymBall",
        "Sled",
    ]
    path = renamed(tmp_path / "best.onnx", names)
    store = tmp_path / "models"
    output = call("import", path, "--name", "mine", "--models", store)
    assert "names: Kettlebell → kettlebell, MedBall → med_ball" in output
    assert "not in the catalogue, known by their names alone: Sled" in output
    assert Detector(store / "mine" / "model.onnx").labels == (*GYM_LABELS[:-1], "Sled")
    (_, row) = [json.loads(line) for line in call("list", "--json", "--models", store).splitlines()]
    assert (row["name"], row["architecture"], row["size"], row["state"]) == ("mine", "YOLOv5n", 640, "ok")
    assert row["named"] == names
    assert not row["in_use"]
    call("use", "mine", "--models", store)
    assert "▶" in call("list", "--models", store)
    assert "shipped is in use again instead of mine" in call("rollback", "--models", store)
    with pytest.raises(SettingsError, match="there is one of this name"):
        call("import", path, "--name", "mine", "--models", store)
    call("import", path, "--name", "mine", "--models", store, "--replace", "--keep-names")
    assert Detector(store / "mine" / "model.onnx").labels == tuple(names)


def test_onnx_files_are_taken_and_two_models_compared(tmp_path: Path) -> None:
    store = tmp_path / "models"
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.full((64, 64, 3), 90, np.uint8))
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text("val: images\nnames: [person, kettlebell]\n")
    data = tmp_path / "data.yaml"
    call("import", SHIPPED, "--name", "copy", "--data", data, "--models", store)
    assert "mAP50 on" in call("compare", "shipped", "copy", "--data", data, "--models", store)
    with pytest.raises(SpotterError, match="not scored on the same pictures"):
        call("compare", "shipped", "copy", "--models", store)
    both = json.loads(call("compare", "copy", "copy", "--models", store, "--json"))
    assert both["copy"]["overall"]["truths"] == 1
    with pytest.raises(WeightsError, match=r"'none': not in .*copy, shipped"):
        call("use", "none", "--models", store)


def test_weights_in_a_file_of_their_own_are_taken_in(tmp_path: Path) -> None:
    loaded = onnx.load(str(SHIPPED))
    onnx.save(loaded, str(tmp_path / "best.onnx"), save_as_external_data=True, location="best.onnx.data")
    store = ModelStore(tmp_path / "models")
    adopt(tmp_path / "best.onnx", store, Adoption("mine"))
    assert Detector(store.weights("mine")).labels == GYM_LABELS
    (tmp_path / "best.onnx.data").unlink()
    with pytest.raises(WeightsError, match=r"best\.onnx: neither"):
        adopt(tmp_path / "best.onnx", store, Adoption("mine", replace=True))
    assert Detector(store.weights("mine")).labels == GYM_LABELS


def test_a_model_is_called_after_its_file_as_far_as_a_name_goes() -> None:
    assert [name_of(Path(f"{stem}.pt")) for stem in ("my best", "spring (2)", "a.b")] == ["my-best", "spring-2", "a.b"]
    with pytest.raises(SettingsError, match="give it one with --name"):
        name_of(Path("한글.pt"))


def test_what_is_no_detector_is_refused_by_what_it_holds(tmp_path: Path) -> None:
    with foreign("models.yolo.SegmentationModel", "models.yolo.Segment") as made:
        torch.save({"model": made["models.yolo.SegmentationModel"]()}, tmp_path / "seg.pt")
    write(YoloV5(LABELS), tmp_path / "code.pt", extra=_Runs(print, "run"))
    torch.save({"a": torch.zeros(3)}, tmp_path / "tensors.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.pt").write_text("hello")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a.jpg", b"x")
    network = YoloV5(LABELS)
    network.layout = (*network.layout[:12], ((-1, 4), *network.layout[12][1:]), *network.layout[13:])
    write(network, tmp_path / "wired.pt")
    renamed(tmp_path / "segment.onnx", GYM_LABELS, task="segment")
    cases = {
        "seg.pt": r"names models\.yolo\.SegmentationModel, .* it is a segmentation model",
        "code.pt": r"names (__builtin__|builtins)\.print, .* nothing of it was run",
        "tensors.pt": "neither a run of `spotter model train` nor .* it holds a dictionary of 'a'",
        "list.pt": "it holds a list",
        "empty.pt": "an empty file",
        "text.pt": "neither a YOLOv5 checkpoint nor an ONNX detector",
        "pictures.zip": "without one data.pkl",
        "wired.pt": "its layer 12 reads other layers",
        "segment.onnx": "made to segment, not to detect",
        "none.pt": "no such file",
    }
    for name, message in cases.items():
        with pytest.raises(SpotterError, match=message) as error:
            call("import", tmp_path / name, "--name", "x", "--models", tmp_path / "models")
        assert "\n" not in str(error.value)
    assert not list((tmp_path / "models").glob("*"))


def test_random_truncated_and_flipped_files_are_clean_errors_or_models(tmp_path: Path) -> None:
    """Whatever the bytes, it is one clear line or a network: never a crash, never code that runs."""
    checkpoint = write(YoloV5(LABELS), tmp_path / "good.pt").read_bytes()
    shipped = SHIPPED.read_bytes()
    chance = random.Random(0)
    files = [chance.randbytes(chance.randrange(1, 2000)) for _ in range(20)]
    files += [b"PK\x03\x04" + chance.randbytes(200), b"\x80\x02}q\x00."]
    for content in (checkpoint, shipped):
        files += [content[: chance.randrange(len(content))] for _ in range(8)]
    # The pickle lies at the front of the zip, an ONNX file's structure between its tensors.
    for _ in range(30):
        changed = bytearray(checkpoint)
        for _ in range(chance.randrange(1, 5)):
            changed[chance.randrange(40_000)] = chance.randrange(256)
        files.append(bytes(changed))
    refused = 0
    for number, content in enumerate(files):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(content)
        try:
            if zipfile.is_zipfile(path):
                load_checkpoint(path)
            else:
                call("import", path, "--name", "x", "--models", tmp_path / "models")
        except SpotterError as error:
            assert "\n" not in str(error)
            refused += 1
        path.unlink()
    assert refused >= 38  # everything random or cut; a flipped byte of a class name may pass
    assert not list((tmp_path / "models").glob("*"))


def test_flipped_bytes_of_an_onnx_file_are_clean_errors_or_models(tmp_path: Path) -> None:
    """Above all in its structure at the front, and in its names and metadata at the end."""
    shipped, chance = SHIPPED.read_bytes(), random.Random(0)
    store = ModelStore(tmp_path / "models")
    path = tmp_path / "flipped.onnx"
    damaged = bytearray(shipped)
    damaged[shipped.rindex(b"AGPL")] = 0xCE  # no UTF-8
    files = [bytes(damaged)]
    for number in range(10):
        changed = bytearray(shipped)
        changed[chance.randrange(2000) if number % 2 else -1 - chance.randrange(1500)] = chance.randrange(256)
        files.append(bytes(changed))
    refused = []
    for content in files:
        path.write_bytes(content)
        try:
            adopt(path, store, Adoption("x", replace=True))
        except SpotterError as error:
            refused.append(str(error))
    assert "its metadata is damaged" in refused[0]
    assert all("\n" not in text for text in refused)


def test_training_does_not_start_from_what_it_cannot_train(tmp_path: Path) -> None:
    from models.yolov5.transfer import transfer

    for network in (YoloV5(LABELS, "n6"), YoloV5u(LABELS)):
        with pytest.raises(CheckpointError, match="three strides"):
            transfer(network, LABELS)


def renamed(path: Path, names: Sequence[str], **properties: str) -> Path:
    """The shipped detector with other class names."""
    loaded = onnx.load(str(SHIPPED))
    before = {entry.key: entry.value for entry in loaded.metadata_props}
    onnx.helper.set_model_props(loaded, before | {"names": json.dumps(list(names))} | properties)
    onnx.save(loaded, str(path))
    return path


class _Runs:
    def __init__(self, function: object, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> object:
        return self._call
