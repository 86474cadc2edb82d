"""One way to the MQTT broker for every part: credentials, TLS, reconnecting, honest errors."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from spotter.errors import ServerError, SettingsError
from spotter.settings import Mqtt

log = structlog.get_logger()

KEEPALIVE_SECONDS = 10
"""A broker declares a silent client dead, and publishes its will, after one and a half of these."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when this client dies; QoS 1, retained."""

    topic: str
    payload: bytes


class MqttClient:
    """A paho client that connects in the background, keeps trying, and says why it can't.

    `on_connect` runs after every (re)connection, in the network thread: subscribe there. `on_message` gets
    (topic, payload, acknowledge); with `manual_ack`, a QoS 1 message is acknowledged by calling `acknowledge()`
    after it is persisted, from any thread.
    """

    def __init__(
        self,
        settings: Mqtt,
        client_id: str,
        *,
        clean_session: bool = True,
        will: Will | None = None,
        manual_ack: bool = False,
        on_connect: Callable[[], None] | None = None,
        on_message: Callable[[str, bytes, Callable[[], None]], None] | None = None,
        on_publish: Callable[[int], None] | None = None,
        on_disconnect: Callable[[], None] | None = None,
    ) -> None:
        self.settings = settings
        self.refusal: str | None = None
        self._connected = threading.Event()
        self._on_connect, self._on_disconnect = on_connect, on_disconnect
        self._on_message, self._on_publish = on_message, on_publish
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean_session, manual_ack=manual_ack
        )
        parts = urlsplit(settings.url)
        self._host, self._port = (
            parts.hostname or "127.0.0.1",
            parts.port or (8883 if parts.scheme == "mqtts" else 1883),
        )
        if settings.username is not None:
            password = settings.password.get_secret_value() if settings.password else None
            self._client.username_pw_set(settings.username, password)
        if parts.scheme == "mqtts":
            try:
                context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
            except (OSError, ssl.SSLError) as error:
                raise SettingsError(f"mqtt.ca_file {settings.ca_file}: can't be used ({error})") from error
            self._client.tls_set_context(context)
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        self._client.reconnect_delay_set(min_delay=1, max_delay=15)
        self._client.max_inflight_messages_set(200)
        self._client.max_queued_messages_set(0)
        self._client.on_connect = self._handle_connect
        self._client.on_disconnect = self._handle_disconnect
        self._client.on_message = self._handle_message
        self._client.on_publish = self._handle_publish

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted this client and the connection stands."""
        return self._connected.is_set()

    @property
    def address(self) -> str:
        """host:port, without credentials."""
        return f"{self._host}:{self._port}"

    def start(self) -> None:
        """Connect in the background and keep the connection from then on."""
        self._client.connect_async(self._host, self._port, keepalive=KEEPALIVE_SECONDS)
        self._client.loop_start()

    def wait_connected(self, seconds: float) -> None:
        """Wait for the first connection. Raises ServerError, with the broker's reason, when there is none in time."""
        if not self._connected.wait(seconds):
            reason = self.refusal or f"no answer within {seconds:g} s"
            raise ServerError(f"MQTT broker {self.address}: {reason}; check `mqtt:` in the settings")

    def subscribe(self, topic: str, qos: int = 1) -> None:
        """Subscribe; call it from `on_connect`, since a clean session forgets subscriptions."""
        self._client.subscribe(topic, qos)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int | None:
        """Publish and give the message's id, which `on_publish` gets once the broker has it; None while unconnected."""
        if not self.connected:
            return None
        info = self._client.publish(topic, payload, qos=qos, retain=retain)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def stop(self) -> None:
        """Disconnect in good order (the will is not published) and end the network thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def _handle_connect(self, _: Any, __: Any, ___: Any, reason: ReasonCode, ____: Any) -> None:
        if reason.is_failure:
            refusal = f"refused the log-in ({reason})"
            if refusal != self.refusal:
                log.error("mqtt_refused", broker=self.address, reason=str(reason))
            self.refusal = refusal
            return
        self.refusal = None
        self._connected.set()
        log.info("mqtt_connected", broker=self.address)
        self._tell(self._on_connect)

    def _handle_disconnect(self, _: Any, __: Any, ___: Any, reason: ReasonCode, ____: Any) -> None:
        if self._connected.is_set() and reason.is_failure:
            log.warning("mqtt_disconnected", broker=self.address, reason=str(reason))
        self._connected.clear()
        self._tell(self._on_disconnect)

    def _handle_message(self, client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        if self._on_message:
            mid, qos = message.mid, message.qos
            try:
                topic = message.topic
            except UnicodeDecodeError:
                topic = "(not UTF-8)"

            def acknowledge() -> None:
                client.ack(mid, qos)

            self._tell(self._on_message, topic, bytes(message.payload), acknowledge)

    def _handle_publish(self, _: Any, __: Any, mid: int, ___: Any, ____: Any) -> None:
        self._tell(self._on_publish, mid)

    def _tell(self, handler: Callable[..., None] | None, *what: Any) -> None:
        if handler is None:
            return
        try:
            handler(*what)
        except Exception as error:  # it would end the network thread, and with it the client for good
            log.error(
                "mqtt_handler_failed", broker=self.address, error=f"{type(error).__name__}: {error}", exc_info=error
            )
