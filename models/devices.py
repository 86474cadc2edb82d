"""The devices that training runs on: one, or several that each learn from a share of every batch."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.yolov5.loss import DetectionLoss
from models.yolov5.network import YoloV5
from spotter.errors import SpotterError


class DeviceError(SpotterError):
    """There is no such device to train on."""


def devices_of(names: str) -> tuple[torch.device, ...]:
    """The devices that `--device` names, with commas between them; `cuda` alone is every graphics card there is."""
    if names.strip() == "cuda" and torch.cuda.is_available():
        return tuple(torch.device("cuda", number) for number in range(torch.cuda.device_count()))
    return tuple(_device(name.strip()) for name in names.split(","))


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"training: no such device {name!r}; give cpu, cuda or cuda:1") from None
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"training: device {name!r} is not supported; give cpu, cuda or cuda:1")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"training: device {name!r}: torch sees no CUDA here; train with --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"training: device {name!r}: there are only {torch.cuda.device_count()} graphics cards")
    return device


@dataclass
class Replica:
    """A network on one device, with all that it takes to learn from a share of a batch."""

    device: torch.device
    network: YoloV5
    teacher: YoloV5 | None
    loss_of: DetectionLoss
    frozen_layers: int
    shared_layers: int
    """Of the first ones, so many are the teacher's as well."""
    taught_rows: list[int]
    amp: bool

    def on(self, device: torch.device) -> Replica:
        """The same on another device."""
        network = copy.deepcopy(self.network).to(device)
        teacher = copy.deepcopy(self.teacher).to(device) if self.teacher is not None else None
        loss_of = DetectionLoss(network.head, self.loss_of.weights, self.loss_of.kept_classes)
        rest = self.frozen_layers, self.shared_layers, self.taught_rows, self.amp
        return Replica(device, network, teacher, loss_of, *rest)

    def learn(self, images: Tensor, targets: Tensor, share: float, scaler: torch.amp.GradScaler) -> dict[str, float]:
        """Add `share` times the loss's gradients to the network's; gives the loss's terms."""
        half = torch.float16 if self.device.type == "cuda" else torch.bfloat16
        x = (images.to(self.device).float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, half, enabled=self.amp):
            with torch.no_grad():
                begun = self.network.trunk(x, self.frozen_layers)
            raw = self.network.head(self.network.features(x, begun))
            taught = self._teach(x, begun)
        loss, terms = self.loss_of([y.float() for y in raw], targets.to(self.device), taught)
        torch.autograd.backward(scaler.scale(loss * share))
        return terms

    @torch.no_grad()
    def follow(self, network: YoloV5) -> None:
        """Take over the parameters of another one, and be without gradients."""
        for own, other in zip(self.network.parameters(), network.parameters(), strict=True):
            if own.requires_grad:
                own.copy_(other)
                own.grad = None

    @torch.no_grad()
    def _teach(self, x: Tensor, begun: list[Tensor]) -> list[Tensor] | None:
        """The teacher's raw box, objectness and kept classes; `begun` are the frozen layers, perhaps shared."""
        if self.teacher is None:
            return None
        raw = self.teacher.head(self.teacher.features(x, begun[: self.shared_layers]))
        return [y[..., self.taught_rows].float() for y in raw]


def learn_together(
    replicas: Sequence[Replica], images: Tensor, targets: Tensor, scaler: torch.amp.GradScaler
) -> dict[str, float]:
    """Give the first replica's network the mean gradients of a batch that all share; gives the loss's mean terms."""
    if len(replicas) == 1:
        return replicas[0].learn(images, targets, 1.0, scaler)
    shares = list(_shares(images, targets, len(replicas)))
    scaler.scale(torch.zeros((), device=replicas[0].device))  # prepared at its first use: not by threads at once
    with ThreadPoolExecutor(len(replicas)) as pool:
        jobs = [
            pool.submit(replica.learn, own, rows, len(own) / len(images), scaler)
            for replica, (own, rows) in zip(replicas, shares, strict=False)
        ]
        found = [job.result() for job in jobs]
    for replica in replicas[1:]:
        _add_gradients(replica.network, replicas[0].network)
    weights = [len(own) / len(images) for own, _ in shares]
    return {name: sum(w * terms[name] for w, terms in zip(weights, found, strict=True)) for name in found[0]}


def _shares(images: Tensor, targets: Tensor, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """At most `count` parts of a batch, the pictures of each counted from 0."""
    begin = 0
    for own in images.chunk(count):
        rows = targets[(targets[:, 0] >= begin) & (targets[:, 0] < begin + len(own))]
        yield own, rows - rows.new_tensor([begin, 0, 0, 0, 0, 0])
        begin += len(own)


def _add_gradients(of: nn.Module, to: nn.Module) -> None:
    for own, other in zip(to.parameters(), of.parameters(), strict=True):
        if other.grad is not None and own.grad is not None:
            own.grad += other.grad.to(own.device)
