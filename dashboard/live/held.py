"""What is held up to kiosk cameras, as the usage rules tell it over MQTT."""

from __future__ import annotations

import json
import threading
from datetime import datetime

import structlog

from dashboard.live.board import Board
from spotter import topics
from spotter.errors import ContractError
from spotter.events import Identified, format_time, parse

log = structlog.get_logger()


class Held:
    """Puts the newest `identified` message of each camera of a site on the board under ``held:CAMERA``."""

    def __init__(self, site: str, board: Board) -> None:
        self._site, self._board = site, board
        self._lock = threading.Lock()
        self._newest: dict[str, datetime] = {}

    @property
    def topic(self) -> str:
        """What to subscribe to."""
        return topics.identified(self._site, "+")

    def take(self, topic: str, payload: bytes) -> None:
        """Note one message; one that is older than what is known, or not of the contract, changes nothing."""
        place = topics.parse_camera_topic(topic)
        if place is None or place.site != self._site or place.leaf != "identified":
            return
        try:
            told = parse(Identified, payload)
        except ContractError as error:
            log.warning("identified_refused", camera=place.camera, reason=str(error))
            return
        with self._lock:
            newest = self._newest.get(place.camera)
            if newest is not None and told.time < newest:
                return
            self._newest[place.camera] = told.time
            document = {
                "camera": place.camera,
                "state": told.state,
                "label": told.label,
                "nearest": [one.label for one in told.nearest],
                "time": format_time(told.time),
            }
            self._board.put(f"held:{place.camera}", json.dumps(document))
