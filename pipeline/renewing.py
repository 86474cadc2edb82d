"""Takes up another detector while cameras are watched: opened beside the old one, exchanged between two pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import structlog
import supervision as sv

from pipeline.capture.base import Image
from pipeline.detection import FindsObjects, open_finder
from spotter.errors import SpotterError
from spotter.settings import Settings
from spotter.weights import store_of

log = structlog.get_logger()

WATCH_SECONDS = 1.0


class RenewingFinder:
    """The detector in use, and its successor as soon as `spotter model use` names one.

    A picture that was prepared for one detector is looked at by it, so none is lost or mixed up in the exchange. A
    detector that can't be opened is reported and the old one goes on.
    """

    def __init__(self, settings: Settings, opened: Callable[[Settings], FindsObjects] = open_finder) -> None:
        """Raises WeightsError."""
        self._settings, self._open = settings, opened
        self._store = store_of(settings)
        self._version = self._store.version()
        self._finder = opened(settings)
        self.size = self._finder.size
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def start(self) -> None:
        """Begin to watch; with a file in the settings there is nothing to watch for."""
        if self._settings.model is None:
            self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()

    def prepare(self, images: Sequence[Image]) -> tuple[FindsObjects, Any]:
        """The detector of this moment and what it takes."""
        finder = self._finder
        return finder, finder.prepare(images)

    def find(self, prepared: tuple[FindsObjects, Any]) -> list[sv.Detections]:
        """What the detector that the pictures were prepared for finds."""
        finder, batch = prepared
        return finder.find(batch)

    def look(self) -> None:
        """Exchange the detector where another one is named."""
        version = self._store.version()
        if version == self._version:
            return
        self._version = version
        try:
            finder = self._open(self._settings)
            name = self._store.in_use().model
        except SpotterError as error:
            log.error("model_refused", problem=str(error), mend="the detector before goes on; choose another")
            return
        if finder.size > self.size:
            # Pictures were made no larger than the first detector's input when the cameras were opened.
            log.warning("model_larger", size=finder.size, mend="restart the pipeline for its full sharpness")
        self._finder = finder
        log.info("model_in_use", model=name)

    def _run(self) -> None:
        while not self._stop.wait(WATCH_SECONDS):
            self.look()
