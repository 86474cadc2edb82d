"""One camera's connection to the broker: scenes out of the outbox, status with a last will, previews while watched."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone

import structlog

from pipeline.delivery import Delivery
from pipeline.outbox import Outbox
from spotter import topics
from spotter.errors import ContractError
from spotter.events import Committed, PreviewRequest, Status, parse, to_milliseconds
from spotter.mqtt import MqttClient, Will
from spotter.settings import Mqtt

log = structlog.get_logger()

WILL_REASON = "the pipeline has ended without a word"

_IDLE_SECONDS = 0.25
_AFTER_ERROR_SECONDS = 1.0


class CameraLink:
    """A camera at the broker. Each has its own connection, since a connection has but one last will.

    `step` does the sending; only one thread calls it. Everything else may come from any thread.
    """

    def __init__(
        self, mqtt: Mqtt, outbox: Outbox, site: str, camera: str, wake: Callable[[], None], *, with_status: bool = True
    ) -> None:
        self.site, self.camera = site, camera
        self.delivery = Delivery(outbox, site, camera)
        self._wake = wake
        self._acknowledged: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._committed: queue.SimpleQueue[Committed] = queue.SimpleQueue()
        self._seq_of: dict[int, int] = {}
        self._status: Status | None = None
        self._watched_until = float("-inf")
        self._client = MqttClient(
            mqtt,
            # Always the same: a new connection at once ends an old one that the broker still believes in. No name
            # holds a colon, so that no other camera has it.
            client_id=f"spotter:{site}:{camera}",
            will=_will(site, camera) if with_status else None,
            on_connect=self._on_connect,
            on_message=self._on_message,
            on_publish=self._on_publish,
        )

    def start(self) -> None:
        """Connect in the background."""
        self._client.start()

    def stop(self, farewell: Status | None) -> None:
        """Say a last status and disconnect."""
        if farewell is not None:
            self._publish_status(farewell)
        self._client.stop()

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._client.connected

    @property
    def refusal(self) -> str | None:
        """Why the broker refuses the connection, if it does."""
        return self._client.refusal

    @property
    def watched(self) -> bool:
        """Whether somebody asks for previews."""
        return time.monotonic() < self._watched_until

    def publish_status(self, status: Status) -> None:
        """Publish the camera's health now, and again whenever the connection comes back."""
        self._status = status
        self._publish_status(status)

    def publish_preview(self, jpeg: bytes) -> None:
        """Publish a picture; lost if the broker is away."""
        self._client.publish(topics.preview(self.site, self.camera), jpeg, qos=0)

    def step(self, now: float) -> bool:
        """Take in what the broker and the database confirmed and send what is due; whether anything was sent."""
        while not self._acknowledged.empty():
            seq = self._seq_of.pop(self._acknowledged.get(), None)
            if seq is not None:
                self.delivery.acknowledged(seq)
        while not self._committed.empty():
            self.delivery.committed(self._committed.get(), now)
        if not self._client.connected:
            return False
        due = self.delivery.due(now)
        topic = topics.scene(self.site, self.camera)
        for seq, body in due:
            message = self._client.publish(topic, body)
            if message is None:
                return False
            self._seq_of[message] = seq
            self.delivery.sent(seq, now, datetime.now(timezone.utc))
        return bool(due)

    def _on_connect(self) -> None:
        self._client.subscribe(topics.committed(self.site, self.camera))
        self._client.subscribe(topics.preview_request(self.site, self.camera))
        if self._status is not None:
            self._publish_status(self._status)
        self._wake()

    def _on_publish(self, message: int) -> None:
        self._acknowledged.put(message)
        self._wake()

    def _on_message(self, topic: str, payload: bytes, acknowledge: Callable[[], None]) -> None:
        try:
            if topic == topics.committed(self.site, self.camera):
                self._committed.put(parse(Committed, payload))
                self._wake()
            elif topic == topics.preview_request(self.site, self.camera):
                self._watched_until = time.monotonic() + parse(PreviewRequest, payload).seconds
        except ContractError as error:
            log.warning("message_refused", topic=topic, cause=str(error))

    def _publish_status(self, status: Status) -> None:
        self._client.publish(topics.status(self.site, self.camera), status.to_json(), retain=True)


class Courier:
    """The thread that sends for all cameras."""

    def __init__(self) -> None:
        self._links: tuple[CameraLink, ...] = ()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def start(self, links: tuple[CameraLink, ...]) -> None:
        """Begin to send."""
        self.use(links)
        self._thread.start()

    def use(self, links: tuple[CameraLink, ...]) -> None:
        """Send for these from now on."""
        self._links = links

    def stop(self, seconds: float) -> None:
        """End; what is not sent stays in the outbox."""
        self._stop.set()
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(_IDLE_SECONDS)
            self._wake.clear()
            for link in self._links:
                self._step(link)

    def _step(self, link: CameraLink) -> None:
        try:
            link.step(time.monotonic())
        except Exception as error:  # noqa: BLE001 - one camera's trouble must not keep the others' scenes here
            log.error("sending_failed", camera=link.camera, error=f"{type(error).__name__}: {error}")
            self._stop.wait(_AFTER_ERROR_SECONDS)


def _will(site: str, camera: str) -> Will:
    status = Status(state="offline", time=to_milliseconds(datetime.now(timezone.utc)), reason=WILL_REASON)
    return Will(topics.status(site, camera), status.to_json())
