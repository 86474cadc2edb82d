"""Checkpoints as other people's YOLOv5 leaves them, made of our own networks: the same tree, under the same names."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models.yolov5.anchor_free import AnchorFree, YoloV5u
from models.yolov5.network import Detect, YoloV5


@contextmanager
def foreign(*names: str) -> Iterator[dict[str, type]]:
    """Classes `module.Name` that can be pickled while the block runs."""
    made: dict[str, type] = {}
    added = []
    for name in names:
        module, _, short = name.rpartition(".")
        parts = module.split(".")
        for parent in (".".join(parts[: i + 1]) for i in range(len(parts))):
            if parent not in sys.modules:
                sys.modules[parent] = types.ModuleType(parent)
                added.append(parent)
        made[name] = type(short, (), {"__module__": module})
        setattr(sys.modules[module], short, made[name])
    try:
        yield made
    finally:
        for module in added:
            del sys.modules[module]


def randomised(network: YoloV5, seed: int = 0) -> YoloV5:
    """A network whose every tensor counts: statistics, scales and anchors that are not those of a fresh one."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
        if isinstance(module, Detect):
            module.anchors *= 1.1  # as auto-anchor leaves them
    return network.eval()


def write(network: YoloV5, path: Path, *, interrupted: bool = False, extra: Any = None) -> Path:
    """What `torch.save` writes at the end of training, or in the middle of it."""
    u = isinstance(network, YoloV5u)
    yolo, common = ("ultralytics.nn.tasks", "ultralytics.nn.modules.block") if u else ("models.yolo", "models.common")
    names = [f"{yolo}.DetectionModel", f"{common}.C3"]
    with foreign(*names) as made:
        top, layer = made[names[0]], made[names[1]]
        model = _object(top, {"model": _tree(network, layer)})
        vars(model).update(names=dict(enumerate(network.labels)), yaml={"nc": 3}, hyp={"lr0": 0.01})
        content: dict[str, Any] = {
            "epoch": -1, "best_fitness": None, "model": model, "ema": None, "updates": None, "optimizer": None,
            "opt": {"weights": "yolov5n.pt", "epochs": 300}, "date": "2024-11-21", "extra": extra,
        }  # fmt: skip
        if interrupted:
            content |= {"epoch": 7, "best_fitness": np.array([0.31]), "opt": {"save_dir": Path("runs")}, "ema": model}
        torch.save(content, path)
    return path


def _tree(network: YoloV5, layer: type) -> object:
    """The layers, each with what it reads."""
    reads = [entry[0] for entry in network.layout] + [network.head_inputs]
    children = {}
    for (name, module), sources in zip(network.model.named_children(), reads, strict=True):
        children[name] = child = _copy(module, layer)
        vars(child)["f"] = sources[0] if len(sources) == 1 else list(sources)
    return _object(layer, children)


def _copy(module: nn.Module, layer: type) -> object:
    copied = _object(layer, {name: _copy(child, layer) for name, child in module.named_children()})
    state = vars(copied)
    state["_parameters"] = {k: None if v is None else v.detach().half() for k, v in module._parameters.items()}
    buffers = {k: v for k, v in module._buffers.items() if not (isinstance(module, AnchorFree) and k == "bins")}
    state["_buffers"] = {k: v.half() if v is not None and v.is_floating_point() else v for k, v in buffers.items()}
    return copied


def _object(kind: type, children: dict[str, object]) -> object:
    made = kind()
    vars(made).update(_parameters={}, _buffers={}, _modules=children, training=False)
    return made
