"""Messages to browsers by Web Push (RFC 8030), encrypted for the browser (RFC 8291) and signed as ours (RFC 8292)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import AnyHttpUrl
from webpush import WebPush, WebPushSubscription
from webpush.types import WebPushKeys
from webpush.vapid import VAPID

from dashboard.notify.channels import TIMEOUT_SECONDS, DeliveryError, Message, no_redirect, reason
from spotter.settings import Settings

LASTS_SECONDS = 12 * 3600
"""For so long a message waits for a browser that is switched off."""

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256: private keys are below it."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class GoneError(DeliveryError):
    """The browser wants no messages any more."""


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a browser's messages are sent, and what they are encrypted for."""

    endpoint: str
    p256dh: str
    auth: str


class Push:
    """Sends messages to browsers in this installation's name, by a key that follows from its secret key."""

    def __init__(self, settings: Settings, secret: bytes) -> None:
        seed = HKDF(hashes.SHA256(), 32, salt=None, info=b"spotter web push").derive(secret)
        private = ec.derive_private_key(int.from_bytes(seed, "big") % (_ORDER - 1) + 1, ec.SECP256R1())
        public = private.public_key()
        self.key: str = VAPID.get_application_server_key(public)
        """What a browser subscribes with."""
        self._services = settings.notify.push_services
        self._sender = WebPush(
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            subscriber=_contact(settings),
            ttl=LASTS_SECONDS,
        )

    def is_known(self, endpoint: str) -> bool:
        """Whether an address is of a push service that messages may go to: a person must not send us anywhere else."""
        try:
            parts = urlsplit(endpoint)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
        plain = secure and parts.username is None and endpoint.isascii() and endpoint.isprintable()
        return plain and any(host == one or host.endswith(f".{one}") for one in self._services)

    def send(self, browser: Browser, message: Message, *, urgent: bool = False) -> None:
        """Send one message. Raises GoneError or DeliveryError."""
        if not self.is_known(browser.endpoint):
            raise DeliveryError("its push service is not among those that the settings allow")
        content = json.dumps(message.content, ensure_ascii=False).encode()
        try:
            keys = WebPushKeys(auth=browser.auth, p256dh=browser.p256dh)
            sealed = self._sender.get(content, WebPushSubscription(endpoint=AnyHttpUrl(browser.endpoint), keys=keys))
        except ValueError:
            raise GoneError("its keys are not those of a browser") from None
        request = urllib.request.Request(browser.endpoint, sealed.encrypted, method="POST")  # noqa: S310 - is_known
        for name, value in sealed.headers.items():
            request.add_header(name, str(value))
        request.add_header("Content-Type", "application/octet-stream")
        request.add_header("Urgency", "high" if urgent else "normal")
        try:
            with no_redirect().open(request, timeout=TIMEOUT_SECONDS) as answer:
                answer.read(1)
        except urllib.error.HTTPError as error:
            if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                raise GoneError("the browser has withdrawn") from None
            raise DeliveryError(f"the push service answers {error.code}") from None
        except (OSError, ValueError, HTTPException) as error:
            raise DeliveryError(f"the push service does not answer ({reason(error)})") from None


def _contact(settings: Settings) -> str:
    """Whom a push service may write to about us."""
    if settings.notify.email is not None:
        return settings.notify.email.sender
    host = urlsplit(settings.dashboard.url or "").hostname or "localhost"
    return f"spotter@{host}"
