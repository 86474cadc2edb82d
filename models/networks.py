"""Networks on disk: a run's own files and official checkpoints, read without executing what they hold."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import torch

from models.yolov5.checkpoint import CheckpointError, load_checkpoint
from models.yolov5.network import YoloV5

OWN_FORMAT = "spotter.yolov5/1"
FINE_TUNED = "fine-tuned by Spotter from {}"


def write_network(network: YoloV5, path: Path) -> None:
    """Keep a network as a torch file that holds only tensors and plain values."""
    content = {
        "format": OWN_FORMAT,
        "labels": list(network.labels),
        "size": network.variant,
        "state": network.state_dict(),
        "source": network.source,
        "trained": datetime.now(timezone.utc).date().isoformat(),
    }
    torch.save(content, path)


def read_network(path: Path) -> YoloV5:
    """A network from a run's `.pt`, or from an official checkpoint; neither executes what it reads."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint {path}: no such file; give a YOLOv5 .pt file or a run's best.pt") from None
    except Exception:  # noqa: BLE001 - torch raises whatever its unpickler meets; the strict reader says what is wrong
        return load_checkpoint(path)
    if not isinstance(content, dict) or content.get("format") != OWN_FORMAT:
        raise CheckpointError(
            f"checkpoint {path}: neither a run of `spotter model train` nor a YOLOv5 file: it holds {_told(content)}"
        )
    try:
        network = YoloV5(content["labels"], content["size"])
        network.load_state_dict(content["state"])
        network.source = str(content.get("source", FINE_TUNED.format("a YOLOv5 checkpoint")))
        network.trained = content.get("trained")
    except (KeyError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"checkpoint {path}: damaged ({str(error).splitlines()[0]}); train again") from None
    return network.eval()


def source_of_run(start: YoloV5) -> str:
    """Where the weights of a run are from that begins with `start`; a run that continues one tells of the first."""
    return start.source if start.source.startswith(FINE_TUNED.format("")) else FINE_TUNED.format(start.source)


def _told(content: object) -> str:
    """What a file holds that is no network, in a few words."""
    if isinstance(content, dict):
        return f"a dictionary of {', '.join(repr(key) for key in list(content)[:5]) or 'nothing'}"
    return f"a {type(content).__name__}"
