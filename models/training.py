"""Fine-tunes YOLOv5: frozen normalisation, moving average of the weights, and a teacher that keeps people found."""

from __future__ import annotations

import copy
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.devices import Replica, devices_of, learn_together
from models.metrics import Scores
from models.mixing import Mixer
from models.yolov5.loss import DetectionLoss, LossWeights
from models.yolov5.network import BOX_ROWS, YoloV5
from spotter.errors import SpotterError

BACKBONE_LAYERS = 10
NECK_LAYERS = 24
BATCHES_AHEAD = 2
KEPT_LABEL = "person"


class TrainingError(SpotterError):
    """Training cannot go on."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """One training run."""

    epochs: int = 100
    pictures: int = 400
    """Training pictures in an epoch: they are composed anew each time, so an epoch is only a unit of time."""
    batch: int = 16
    size: int = 640
    early_scale: float = 0.7
    """Of `size`, for the first `early_share` of the epochs: half of the time a step, and most is learnt as well."""
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
    device: str = "cpu"
    """As torch names it: `cpu`, `cuda:1`; several, with commas, share each batch. `cuda`: every graphics card."""
    amp: bool = True
    """Mixed precision where the device has instructions for it: a third faster, and without them many times slower."""
    check_every: int = 5
    """Epochs between validations."""
    patience: int = 0
    """Epochs without a better validation after which training stops; 0: never."""
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

    def __init__(self, mixer: Mixer, steps: int, batch: int, size: int, seed: tuple[int, int], composers: int) -> None:
        self._mixer, self._steps, self._batch, self._size, self._seed = mixer, steps, batch, size, seed
        self._composers = composers

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        with ThreadPoolExecutor(self._composers) as pool:
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


class Trainer:
    """Trains `network` in place, epoch by epoch, and can be put away and taken up again between two.

    `teacher` is a network whose classes `kept` (by name, known to both) must not be forgotten. `evaluate` scores the
    moving average; an epoch is `best` where its mean AP50 is the highest so far.
    """

    def __init__(
        self,
        network: YoloV5,
        mixer: Mixer,
        settings: TrainSettings,
        teacher: YoloV5 | None = None,
        evaluate: Callable[[YoloV5], Scores] | None = None,
        kept: Sequence[str] = (KEPT_LABEL,),
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.network, self._mixer, self._evaluate = settings, network, mixer, evaluate
        first, *others = devices_of(settings.device)
        _freeze(network, settings.frozen_layers)
        _channels_last(network.to(first))
        shared, taught_rows = 0, list[int]()
        if teacher is not None:
            _channels_last(teacher.eval().to(first))
            if _same_trunk(network, teacher, settings.frozen_layers):
                shared = settings.frozen_layers
            taught_rows = [*range(BOX_ROWS), *(BOX_ROWS + teacher.labels.index(label) for label in kept)]
        self.averaged = copy.deepcopy(network).eval()
        kept_classes = [network.labels.index(label) for label in kept] if teacher is not None else []
        loss_of = DetectionLoss(network.head, settings.loss, kept_classes)
        amp = settings.amp and mixed_precision_helps(first)
        one = Replica(first, network, teacher, loss_of, settings.frozen_layers, shared, taught_rows, amp)
        self._replicas = [one, *(one.on(device) for device in others)]
        self._optimiser = _optimiser(network, settings)
        self._scaler = torch.amp.GradScaler(first.type, enabled=amp and first.type == "cuda")
        self._steps_per_epoch = max(1, settings.pictures // settings.batch)
        self._epoch, self._best_epoch, self._top = 0, 0, -1.0

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience is at its end."""
        s = self.settings
        out_of_patience = bool(s.patience and self._best_epoch and self._epoch - self._best_epoch >= s.patience)
        return self._epoch >= s.epochs or out_of_patience

    def run(self, advance: Callable[[], None] = lambda: None) -> Iterator[Epoch]:
        """Train the epochs that are left; `advance` is called after each step."""
        while not self.finished:
            number = self._epoch + 1
            terms = self._train_epoch(number, advance)
            self._epoch = number
            scores = None
            if self._evaluate is not None and (number % self.settings.check_every == 0 or self._last(number)):
                scores = self._evaluate(self.averaged)
            best = scores is not None and scores.map50 > self._top
            if best and scores is not None:
                self._top, self._best_epoch = scores.map50, number
            yield Epoch(number, sum(terms.values()), terms, scores, best)

    def state(self) -> dict[str, Any]:
        """All that the rest of the run depends on, as tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "progress": [self._epoch, self._best_epoch, self._top],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state()` of a run with the same settings."""
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        for replica in self._replicas[1:]:
            replica.follow(self.network)
        epoch, best_epoch, top = state["progress"]
        self._epoch, self._best_epoch, self._top = int(epoch), int(best_epoch), float(top)

    def batches(self, number: int) -> Iterable[tuple[Tensor, Tensor]]:
        """The batches of an epoch: pictures in bytes and targets."""
        s = self.settings
        early = number <= s.early_share * s.epochs
        size = max(64, round(s.size * s.early_scale / 32) * 32) if early else s.size
        # A CPU's step takes four times as long as composing its pictures; a graphics card would wait for one thread.
        composers = 1 if self._replicas[0].device.type == "cpu" else os.cpu_count() or 1
        return _Batches(self._mixer, self._steps_per_epoch, s.batch, size, (s.seed, number), composers)

    def _last(self, number: int) -> bool:
        return number == self.settings.epochs

    def _train_epoch(self, number: int, advance: Callable[[], None]) -> dict[str, float]:
        """The mean terms of the loss over one epoch."""
        s = self.settings
        step, total = (number - 1) * self._steps_per_epoch, s.epochs * self._steps_per_epoch
        for replica in self._replicas:
            _train_mode(replica.network)
        sums: dict[str, float] = {}
        for images, targets in self.batches(number):
            _schedule(self._optimiser, step, total)
            self._optimiser.zero_grad()
            terms = learn_together(self._replicas, images, targets, self._scaler)
            if not math.isfinite(loss := sum(terms.values())):
                raise TrainingError(f"training: the loss became {loss} in epoch {number}; lower the rates")
            self._scaler.unscale_(self._optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
            self._scaler.step(self._optimiser)
            self._scaler.update()
            for replica in self._replicas[1:]:
                replica.follow(self.network)
            step += 1
            _average(self.averaged, self.network, min(s.average_decay, (1 + step) / (10 + step)))
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value
            advance()
        return {name: value / self._steps_per_epoch for name, value in sums.items()}


def mixed_precision_helps(device: torch.device) -> bool:
    """Whether a device computes in half precision itself; a CPU that must imitate it trains many times slower."""
    if device.type == "cuda":
        return True
    return device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


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
