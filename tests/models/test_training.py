"""Training learns, is seeded, and starts from what COCO knew."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed ([train] extra)")

import cv2  # noqa: E402

from models.augment import MIN_SIDE_PX  # noqa: E402
from models.cutouts import Cutout, read_cutouts  # noqa: E402
from models.labels import Sample  # noqa: E402
from models.memory import step_bytes  # noqa: E402
from models.metrics import Scores  # noqa: E402
from models.mixing import Mixer, MixSettings  # noqa: E402
from models.networks import read_network, write_network  # noqa: E402
from models.training import Epoch, Trainer, TrainSettings  # noqa: E402
from models.yolov5.anchors import fit_anchors, fitting_share  # noqa: E402
from models.yolov5.checkpoint import CheckpointError  # noqa: E402
from models.yolov5.loss import DetectionLoss, match  # noqa: E402
from models.yolov5.network import ANCHORS_PX, YoloV5  # noqa: E402
from models.yolov5.transfer import transfer  # noqa: E402

LABELS = ("person", "kettlebell")
QUICK = TrainSettings(epochs=2, pictures=64, batch=8, size=96, early_share=0, frozen_layers=0, check_every=99)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Plain pictures with one bright rectangle each."""
    folder = tmp_path_factory.mktemp("samples")
    random = np.random.default_rng(0)
    made = []
    for i in range(6):
        image = random.integers(0, 60, (120, 160, 3)).astype(np.uint8)
        cv2.rectangle(image, (40, 30), (100, 90), (0, 200, 255) if i % 2 else (255, 80, 0), -1)
        path = folder / f"{i}.png"
        cv2.imwrite(str(path), image)
        made.append(Sample(path, np.array([[i % 2, 70 / 160, 0.5, 60 / 160, 0.5]], np.float32)))
    return made


def _settle(network: YoloV5, mixer: Mixer) -> None:
    """Gives an untrained network the normalisation statistics that a start from COCO has and training keeps."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    pictures = [mixer.draw(96, np.random.default_rng(i)).pixels[:, :, ::-1].transpose(2, 0, 1) for i in range(8)]
    with torch.no_grad():
        network.train()(torch.from_numpy(np.stack(pictures)).float() / 255)


def run(samples: list[Sample], seed: int = 0) -> tuple[list[Epoch], YoloV5]:
    torch.manual_seed(7)
    network = YoloV5(LABELS)
    network.head.set_priors(96)
    mixer = Mixer(LABELS, samples)
    _settle(network, mixer)
    trainer = Trainer(network, mixer, replace(QUICK, seed=seed))
    return list(trainer.run()), trainer.averaged


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole_run(samples: list[Sample]) -> tuple[list[Epoch], YoloV5]:
    torch.set_num_threads(1)
    return run(samples)


def test_training_lowers_the_loss_and_a_seed_repeats_it(
    samples: list[Sample], whole_run: tuple[list[Epoch], YoloV5]
) -> None:
    first, network = whole_run
    assert first[-1].loss < 0.9 * first[0].loss
    again, other = run(samples)
    assert [e.loss for e in again] == pytest.approx([e.loss for e in first], rel=1e-4)
    different, _ = run(samples, seed=1)
    assert different[0].loss != pytest.approx(first[0].loss, rel=1e-4)
    for a, b in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_several_devices_learn_from_their_shares_what_one_learns_from_the_whole(samples: list[Sample]) -> None:
    """Two that are both this CPU, for want of graphics cards."""
    mixer = Mixer(LABELS, samples, [], [], [])
    start = YoloV5(LABELS)
    _settle(start, mixer)
    trainer = Trainer(copy.deepcopy(start), mixer, replace(QUICK, epochs=1, pictures=8, device="cpu,cpu", amp=False))
    images, targets = next(iter(trainer.batches(1)))
    alone = start.eval()
    for part in (0, 4):
        own = targets[(targets[:, 0] >= part) & (targets[:, 0] < part + 4)] - torch.tensor([part, 0, 0, 0, 0, 0])
        raw = alone.head(alone.features(images[part : part + 4].float() / 255))
        loss, _ = DetectionLoss(alone.head, QUICK.loss, [])(raw, own)
        (loss / 2).backward()
    torch.nn.utils.clip_grad_norm_(alone.parameters(), 10.0)
    assert len(list(trainer.run())) == 1
    for one, own in zip(alone.parameters(), trainer.network.parameters(), strict=True):
        torch.testing.assert_close(own.grad, one.grad, rtol=1e-3, atol=1e-5)
    for one, own in zip(trainer._replicas[1].network.parameters(), trainer.network.parameters(), strict=True):
        torch.testing.assert_close(one, own)


def test_a_run_taken_up_again_goes_on_as_if_it_had_never_stopped(
    samples: list[Sample], whole_run: tuple[list[Epoch], YoloV5]
) -> None:
    whole, wanted = whole_run
    torch.manual_seed(7)
    network = YoloV5(LABELS)
    network.head.set_priors(96)
    mixer = Mixer(LABELS, samples)
    _settle(network, mixer)
    again = copy.deepcopy(network)
    stopped = Trainer(network, mixer, QUICK)
    next(iter(stopped.run()))
    taken_up = Trainer(again, mixer, QUICK)
    taken_up.restore(stopped.state())
    (second,) = taken_up.run()
    assert (second.number, taken_up.finished) == (2, True)
    assert second.loss == pytest.approx(whole[1].loss, rel=1e-4)
    for a, b in zip(taken_up.averaged.parameters(), wanted.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_training_stops_when_patience_is_at_its_end(samples: list[Sample]) -> None:
    worse = [Scores((), 0, 0, value, 0) for value in (0.5, 0.4, 0.3, 0.2)]
    settings = replace(QUICK, epochs=4, pictures=2, batch=2, check_every=1, patience=2)
    trainer = Trainer(YoloV5(LABELS), Mixer(LABELS, samples), settings, evaluate=lambda _: worse.pop(0))
    assert [(e.number, e.best) for e in trainer.run()] == [(1, True), (2, False), (3, False)]


def test_anchors_are_fitted_to_boxes_that_the_old_ones_cannot_answer_for() -> None:
    random = np.random.default_rng(0)
    sides = np.exp(random.normal(np.log([[4.0, 60.0]]), 0.15, (300, 2)))
    coco = np.array(ANCHORS_PX, np.float64).reshape(-1, 2)
    assert fitting_share(sides, coco) < 0.7
    fitted = fit_anchors(sides, seed=1)
    assert fitting_share(sides, fitted) > 0.99
    np.testing.assert_array_equal(fitted, fit_anchors(sides, seed=1))
    assert (np.diff(fitted.prod(1)) >= 0).all()  # small ones serve the fine grid


def test_a_step_takes_memory_for_each_picture() -> None:
    network = YoloV5(LABELS)
    one, two, four = (step_bytes(network, batch, 96) for batch in (1, 2, 4))
    assert two > one
    assert four - two == pytest.approx(2 * (two - one), rel=1e-6)
    larger = step_bytes(network, 2, 192) - step_bytes(network, 1, 192)
    assert larger == pytest.approx(4 * (two - one), rel=0.1)


def test_layers_can_be_left_alone_anywhere_in_the_network() -> None:
    network = YoloV5(LABELS).eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        whole = network.features(x)
        for layers in (5, 12, 24):
            for a, b in zip(network.features(x, network.trunk(x, layers)), whole, strict=True):
                torch.testing.assert_close(a, b)


def test_the_head_starts_with_the_rows_that_coco_has() -> None:
    torch.manual_seed(0)
    start = YoloV5(("person", "car", "sports ball"))
    gym = transfer(start, ("person", "kettlebell", "med_ball"))
    for new, old in zip(gym.head.m, start.head.m, strict=True):
        weight, source = new.weight.view(3, 8, -1), old.weight.view(3, 8, -1)
        assert torch.equal(weight[:, :6], source[:, :6])  # box, objectness, person
        assert torch.equal(weight[:, 7], source[:, 7])  # med_ball begins as sports ball
        assert not torch.equal(weight[:, 6], source[:, 6])
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(gym.eval()(x)[..., :6], start.eval()(x)[..., :6])


def test_a_teacher_keeps_what_the_labels_do_not_mention() -> None:
    """Where the teacher sees a person, forgetting costs; where it sees none, nothing is asked."""
    head = YoloV5(LABELS).head
    raw = [torch.full((1, 3, n, n, 7), -4.0) for n in (8, 4, 2)]
    blind = [torch.full((1, 3, n, n, 6), -9.0) for n in (8, 4, 2)]
    seeing = [t.clone() for t in blind]
    seeing[1][0, 0, 2, 2, 4:] = 3.0
    nothing = torch.zeros(0, 6)
    loss = DetectionLoss(head)
    _, forgot = loss(raw, nothing, seeing)
    _, silent = loss(raw, nothing, blind)
    assert forgot["keep"] > 0.1
    assert silent["keep"] == 0
    assert forgot["objectness"] > silent["objectness"]


def test_a_box_is_answered_for_by_its_cell_and_the_nearest_two() -> None:
    anchors = torch.tensor([[2.0, 2.0]])
    found = match(torch.tensor([[0, 1, 0.53, 0.28, 0.2, 0.2]]), anchors, 10, 10)  # centre (5.3, 2.8) in cells
    assert sorted(zip(found.column.tolist(), found.row.tolist(), strict=True)) == [(4, 2), (5, 2), (5, 3)]
    assert found.classes.tolist() == [1, 1, 1]
    far = match(torch.tensor([[0, 1, 0.5, 0.5, 0.9, 0.05]]), anchors, 10, 10)
    assert len(far.image) == 0  # more than four times the anchor's width


def test_mixed_pictures_keep_boxes_inside_and_repeat_by_seed(samples: list[Sample]) -> None:
    item = Cutout(1, np.full((60, 50, 3), 200, np.uint8), np.full((60, 50), 255, np.uint8))
    mixer = Mixer(LABELS, samples, backgrounds=[Sample(samples[0].path, np.zeros((0, 5), np.float32))], cutouts=[item])
    for i in range(40):
        picture = mixer.draw(128, np.random.default_rng(i))
        assert picture.pixels.shape == (128, 128, 3)
        assert (picture.rows[:, 1:] >= 0).all()
        assert (picture.rows[:, 1:] <= 128).all()
        sides = picture.rows[:, 3:] - picture.rows[:, 1:3]
        assert (sides >= MIN_SIDE_PX).all()
        np.testing.assert_array_equal(picture.rows, mixer.draw(128, np.random.default_rng(i)).rows)


def test_cutouts_leave_white_behind_and_keep_a_handle_open(tmp_path: Path) -> None:
    image = np.full((200, 200, 3), 255, np.uint8)
    cv2.circle(image, (100, 130), 50, (40, 40, 40), -1)
    cv2.ellipse(image, (100, 75), (40, 45), 0, 0, 360, (40, 40, 40), 12)
    cv2.putText(image, "8", (92, 140), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1)
    (tmp_path / "kettlebell").mkdir()
    cv2.imwrite(str(tmp_path / "kettlebell" / "a.png"), image)
    (cut,) = read_cutouts(tmp_path, LABELS)
    left, top = 50, 24
    assert cut.mask[130 - top, 100 - left] == 255  # body
    assert cut.mask[140 - top, 97 - left] == 255  # print on it
    assert cut.mask[60 - top, 100 - left] == 0  # inside the handle
    assert cut.mask[0, 0] == 0


def test_a_cutout_with_alpha_is_taken_as_it_is_and_an_empty_one_is_none(tmp_path: Path) -> None:
    image = np.full((200, 240, 4), 250, np.uint8)
    image[..., 3] = 0
    image[40:140, 60:180, 3] = 255
    (tmp_path / LABELS[1]).mkdir()
    cv2.imwrite(str(tmp_path / LABELS[1] / "white-on-nothing.png"), image)
    cv2.imwrite(str(tmp_path / LABELS[1] / "nothing.png"), np.zeros((200, 240, 4), np.uint8))
    (cut,) = read_cutouts(tmp_path, LABELS)
    assert cut.pixels.shape == (100, 120, 3)
    assert (cut.mask == 255).all()


def test_items_fill_a_picture_as_in_a_shop(samples: list[Sample]) -> None:
    item = Cutout(1, np.full((60, 60, 3), 200, np.uint8), np.full((60, 60), 255, np.uint8))
    shop = MixSettings(product=1)
    empty = [Sample(samples[0].path, np.zeros((0, 5), np.float32))]
    mixer = Mixer(LABELS, samples, backgrounds=empty, cutouts=[item], settings=shop)
    sides = [(mixer.draw(128, np.random.default_rng(i)).rows[:, 3:5]).max(initial=0) for i in range(20)]
    assert np.median(sides) > 64


def test_a_start_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pt"
    torch.save({"format": "spotter.yolov5/1", "labels": ["person"], "size": "n", "state": {}}, damaged)
    foreign = tmp_path / "foreign.pt"
    torch.save({"weights": torch.zeros(2)}, foreign)
    garbage = tmp_path / "garbage.pt"
    garbage.write_bytes(b"garbage")
    for path, cause in (
        (tmp_path / "none.pt", "no such file"),
        (damaged, "damaged"),
        (foreign, "neither a run"),
        (garbage, "not a readable YOLOv5 checkpoint"),
    ):
        with pytest.raises(CheckpointError, match=f"{path.name}: {cause}") as error:
            read_network(path)
        assert "\n" not in str(error.value)


def test_a_network_is_read_as_it_was_written(tmp_path: Path) -> None:
    network = YoloV5(LABELS, "s")
    write_network(network, tmp_path / "a.pt")
    again = read_network(tmp_path / "a.pt")
    assert (again.labels, again.variant) == (LABELS, "s")
    for a, b in zip(network.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_start_with_the_same_labels_is_taken_over_whole() -> None:
    start = YoloV5(LABELS)
    for a, b in zip(start.state_dict().values(), transfer(start, LABELS).state_dict().values(), strict=True):
        assert torch.equal(a, b)
