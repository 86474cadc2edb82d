"""Where the shipped detector's weights are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from spotter.errors import WeightsError
from spotter.model_store import FOLDER, ModelStore
from spotter.settings import Settings

SHIPPED = "gym-yolov5n.onnx"


def weights_path(model: Path | None) -> Path:
    """The file that `model:` in the settings names, or the shipped one.

    The `models` room is found, not imported: a camera box needs its file, not its training code. Raises
    WeightsError where the file is missing.
    """
    if model is None:
        found = importlib.util.find_spec("models")
        folders = list(found.submodule_search_locations or ()) if found else []
        candidates = [Path(folder) / "weights" / SHIPPED for folder in folders]
        model = next((path for path in candidates if path.is_file()), None)
        if model is None:
            raise WeightsError(f"the shipped weights {SHIPPED} are not installed; name a file with `model:`")
    if not model.is_file():
        raise WeightsError(f"weights {model}: no such file; check `model:` in the settings")
    return model


def store_of(settings: Settings) -> ModelStore:
    """The detectors of an installation."""
    return ModelStore(settings.data / FOLDER)


def weights_in_use(settings: Settings) -> Path:
    """The file that the settings name; else the detector chosen by `spotter model use`; else the shipped one.

    Raises WeightsError.
    """
    return weights_path(settings.model if settings.model is not None else store_of(settings).chosen())
