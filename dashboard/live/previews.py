"""The connection to the broker: asks cameras for previews while somebody looks at them, hears what kiosks are shown."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable

import structlog

from dashboard.language import mark
from dashboard.live.held import Held
from dashboard.live.parts import Part, degraded, fine
from spotter import topics
from spotter.errors import SpotterError
from spotter.events import PreviewRequest
from spotter.mqtt import MqttClient
from spotter.settings import Settings

log = structlog.get_logger()

ASK_SECONDS = 10.0
"""How long a camera sends previews after one request: soon after the last page is closed, it stops by itself."""

REPEAT_SECONDS = 3.0
"""A request is repeated so often while someone watches; three may get lost before the picture stops."""


class Previews:
    """One connection to the broker for all pages of this process."""

    def __init__(self, settings: Settings, held: Held) -> None:
        self._site, self._held = settings.site, held
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()
        self._client: MqttClient | None = None
        self._trouble: str | None = None
        if settings.mqtt is None:
            self._trouble = mark(
                "the settings name no broker; add `mqtt: {url: …}` or start everything with `spotter up`"
            )
            return
        try:
            name = f"spotter-dashboard-{settings.site}-{os.getpid()}-{secrets.token_hex(4)}"
            self._client = MqttClient(settings.mqtt, name, on_connect=self._subscribe, on_message=self._hear)
        except SpotterError as error:
            self._trouble = str(error)

    def _subscribe(self) -> None:
        if self._client is not None:
            self._client.subscribe(self._held.topic)

    def _hear(self, topic: str, payload: bytes, _: Callable[[], None]) -> None:
        self._held.take(topic, payload)

    def start(self) -> None:
        """Connect in the background."""
        if self._client is not None:
            self._client.start()

    def stop(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.stop()

    def wait_first(self, seconds: float) -> None:
        """Wait until the broker accepted or refused, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while self._client and not (self._client.connected or self._client.refusal) and time.monotonic() < deadline:
            time.sleep(0.02)

    def part(self) -> Part:
        """The broker, as seen from here."""
        if self._trouble is not None or self._client is None:
            return degraded("broker", self._trouble or "not started")
        if self._client.connected:
            return fine("broker")
        reason = self._client.refusal or "does not answer"
        return degraded("broker", f"broker {self._client.address} {reason}; check that it runs and `mqtt:`")

    def want(self, camera: str) -> None:
        """Somebody looks at `camera` at this moment."""
        now = time.monotonic()
        with self._lock:
            if self._client is None or now - self._asked.get(camera, -REPEAT_SECONDS) < REPEAT_SECONDS:
                return
            topic = topics.preview_request(self._site, camera)
            request = PreviewRequest(seconds=ASK_SECONDS).to_json()
            if self._client.publish(topic, request, qos=0) is not None:
                self._asked[camera] = now
