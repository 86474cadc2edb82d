"""Does a training step fit into memory? Asked before a run starts, not after its first hour."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from models.yolov5.network import YoloV5

RESERVE = 1.4
"""Over what is counted: scratch space of convolutions, pictures composed ahead, fragmentation."""
COPIES = 5
"""Of the weights: themselves, gradients, two moments of AdamW, the moving average."""


def step_bytes(network: YoloV5, batch: int, size: int) -> int:
    """Bytes that one training step of `batch` pictures of `size` pixels takes, measured on one picture."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    was_training = network.training
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()  # measuring must not move the statistics
    device = next(network.parameters()).device
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        raw = network(torch.zeros(1, 3, size, size, device=device))
    del raw
    network.train(was_training)
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    return int(RESERVE * (batch * max(sum(kept.values()) - weights, 0) + COPIES * weights))


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free on a device; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return _limited(int(line.split()[1]) << 10)
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _limited(available: int) -> int:
    """What a container's limit leaves of it."""
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    try:
        text = limit.read_text(encoding="ascii").strip()
        if text != "max":
            return min(available, int(text) - int(used.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return available
    return available
