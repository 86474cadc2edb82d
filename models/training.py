"""Fine-tunes YOLOv5: frozen normalisation, moving average of the weights, and a teacher that keeps people found."""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from models.metrics import Scores
from models.mixing import Mixer
from models.yolov5.loss import DetectionLoss, LossWeights
from models.yolov5.network import YoloV5
from spotter.errors import SpotterError

BACKBONE_LAYERS = 10
NECK_LAYERS = 24
COMPOSERS = 1  # composing takes a quarter of a step's time
BATCHES_AHEAD = 2


class TrainingError(SpotterError):
    """Training cannot go on."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """One training run; the defaults made the shipped weights."""

    epochs: int = 28
    pictures: int = 400
    """Training pictures in an epoch: they are composed anew each time, so an epoch is only a unit of time."""
    batch: int = 16
    size: int = 640
    early_size: int = 448
    """Side in pixels for the first `early_share` of the epochs."""
    early_share: float = 0.6
    rate: float = 1.0
    """Of learning, relative to the three below."""
    head_rate: float = 2e-3
    neck_rate: float = 6e-4
    backbone_rate: float = 1e-4
    weight_decay: float = 0.01
    frozen_layers: int = 5
    """Layers from the input on that are not trained: edges and textures of COCO serve a gym as well."""
    average_decay: float = 0.998
    seed: int = 0
    threads: int | None = None
    """Of torch and OpenCV; where other work fills the machine, one is faster than several that wait for each other."""
    half: bool = True
    """bfloat16 where that is safe; a CPU with such instructions trains a third faster."""
    check_every: int = 5
    """Epochs between validations."""
    loss: LossWeights = field(default_factory=LossWeights)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch gave: mean loss, its terms, and scores on the validation split where it was checked."""

    number: int
    loss: float
    terms: dict[str, float]
    scores: Scores | None
    best: bool


class _Batches:
    """The batches of one epoch, composed ahead by threads; seed, epoch and number decide each picture."""

    def __init__(self, mixer: Mixer, steps: int, batch: int, size: int, seed: tuple[int, int]) -> None:
        self._mixer, self._steps, self._batch, self._size, self._seed = mixer, steps, batch, size, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        with ThreadPoolExecutor(COMPOSERS) as pool:
            ahead: deque[list[Future[tuple[Tensor, Tensor]]]] = deque()
            for step in range(self._steps):
                ahead.append([pool.submit(self._one, step * self._batch + i) for i in range(self._batch)])
                if len(ahead) > BATCHES_AHEAD:
                    yield collate([f.result() for f in ahead.popleft()])
            for futures in ahead:
                yield collate([f.result() for f in futures])

    def _one(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((*self._seed, index))
        picture = self._mixer.draw(self._size, random)
        rows = picture.rows.copy()
        rows[:, 1:3] = (picture.rows[:, 1:3] + picture.rows[:, 3:]) / 2 / self._size
        rows[:, 3:] = (picture.rows[:, 3:] - picture.rows[:, 1:3]) / self._size
        planes = np.ascontiguousarray(picture.pixels[:, :, ::-1].transpose(2, 0, 1))
        return torch.from_numpy(planes), torch.from_numpy(rows)


def collate(items: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Pictures `[B, 3, S, S]` in bytes and targets `[T, 6]`: picture, class, centre x, y, width, height."""
    targets = [torch.cat((torch.full((len(rows), 1), float(i)), rows), 1) for i, (_, rows) in enumerate(items)]
    return torch.stack([image for image, _ in items]), torch.cat(targets)


def train(
    network: YoloV5,
    mixer: Mixer,
    settings: TrainSettings,
    teacher: YoloV5 | None = None,
    evaluate: Callable[[YoloV5], Scores] | None = None,
) -> Iterator[tuple[Epoch, YoloV5]]:
    """Train `network` in place; after each epoch yields what it gave and the averaged network.

    `teacher` is a network whose first class is the one to keep. `evaluate` scores the averaged network; `best` marks
    the highest mean AP50 so far.
    """
    torch.manual_seed(settings.seed)
    _freeze(network, settings.frozen_layers)
    _channels_last(network)
    if teacher is not None:
        _channels_last(teacher.eval())
    frozen = settings.frozen_layers
    shared = frozen if teacher is not None and _same_trunk(network, teacher, frozen) else 0
    averaged = copy.deepcopy(network).eval()
    loss_of = DetectionLoss(network.head, settings.loss)
    optimiser = _optimiser(network, settings)
    steps_per_epoch = max(1, settings.pictures // settings.batch)
    total = steps_per_epoch * settings.epochs
    step, top = 0, -1.0
    for number in range(1, settings.epochs + 1):
        early = number <= settings.early_share * settings.epochs
        size = settings.early_size if early else settings.size
        batches = _Batches(mixer, steps_per_epoch, settings.batch, size, (settings.seed, number))
        _train_mode(network)
        sums: dict[str, float] = {}
        for images, targets in batches:
            _schedule(optimiser, step, total)
            x = (images.float() / 255).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=settings.half):
                with torch.no_grad():
                    begun = network.trunk(x, settings.frozen_layers)
                raw = network.head(network.features(x, begun))
                taught = None if teacher is None else _teach(teacher, x, begun[:shared])
            loss, terms = loss_of([y.float() for y in raw], targets, taught)
            if not torch.isfinite(loss):
                raise TrainingError(f"training: the loss became {loss.item()} in epoch {number}; lower the rates")
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimiser.step()
            step += 1
            _average(averaged, network, min(settings.average_decay, (1 + step) / (10 + step)))
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value
        means = {name: value / steps_per_epoch for name, value in sums.items()}
        scores = None
        if evaluate is not None and (number % settings.check_every == 0 or number == settings.epochs):
            scores = evaluate(averaged)
        best = scores is not None and scores.map50 > top
        if best and scores is not None:
            top = scores.map50
        yield Epoch(number, sum(means.values()), means, scores, best), averaged


@torch.no_grad()
def _teach(teacher: YoloV5, x: Tensor, begun: list[Tensor]) -> list[Tensor]:
    """The teacher's raw box, objectness and kept class: `[..., 6]`; `begun` are the frozen layers that both share."""
    return [y[..., :6].float() for y in teacher.head(teacher.features(x, begun))]


def _channels_last(network: YoloV5) -> None:
    """Channels innermost in memory: a third faster on a CPU."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _same_trunk(network: YoloV5, teacher: YoloV5, layers: int) -> bool:
    """Whether the first layers of both are equal, as after a start from the teacher: then one pass serves both."""
    own, other = network.model[:layers].state_dict(), teacher.model[:layers].state_dict()
    return own.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in own.items())


def _freeze(network: YoloV5, layers: int) -> None:
    for i, layer in enumerate(network.model):
        for parameter in layer.parameters():
            parameter.requires_grad_(i >= layers)


def _train_mode(network: YoloV5) -> None:
    """Training mode, but normalisation keeps COCO's statistics: small batches of pasted pictures have odd ones."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _optimiser(network: YoloV5, settings: TrainSettings) -> torch.optim.AdamW:
    groups = []
    for i, layer in enumerate(network.model):
        if i < BACKBONE_LAYERS:
            rate = settings.backbone_rate
        else:
            rate = settings.neck_rate if i < NECK_LAYERS else settings.head_rate
        rate *= settings.rate
        trained = [p for p in layer.parameters() if p.requires_grad]
        matrices = [p for p in trained if p.dim() > 1]
        vectors = [p for p in trained if p.dim() <= 1]
        groups.append({"params": matrices, "lr": rate, "top": rate, "weight_decay": settings.weight_decay})
        groups.append({"params": vectors, "lr": rate, "top": rate, "weight_decay": 0.0})
    return torch.optim.AdamW([g for g in groups if g["params"]])


def _schedule(optimiser: torch.optim.Optimizer, step: int, total: int) -> None:
    """Linear warm-up over the first 3 %, then a cosine down to 2 % of the rate."""
    warm = max(1, int(0.03 * total))
    done = (step - warm) / (total - warm + 1)
    factor = (step + 1) / warm if step < warm else 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2
    for group in optimiser.param_groups:
        group["lr"] = group["top"] * factor


@torch.no_grad()
def _average(averaged: YoloV5, network: YoloV5, decay: float) -> None:
    for slow, fast in zip(averaged.parameters(), network.parameters(), strict=True):
        if fast.requires_grad:
            slow.lerp_(fast, 1 - decay)
