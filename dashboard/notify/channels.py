"""The ways to tell of an alert. Each sends one message or raises DeliveryError with a reason for a person."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from http.client import HTTPException
from typing import Any

from spotter.errors import SpotterError
from spotter.settings.notify import Email, Notify, Webhook

TIMEOUT_SECONDS = 10.0


class DeliveryError(SpotterError):
    """A message did not get through; it may be tried again."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told."""

    identity: str
    """The same for every try, so that a receiver can tell a repetition."""
    subject: str
    text: str
    content: dict[str, Any]
    """For programs."""
    time: datetime
    detail: str = ""
    """What was seen, in the receiver's language."""


Channel = Callable[[Message], None]


def channels(notify: Notify) -> dict[str, Channel]:
    """Those that the settings name."""
    found: dict[str, Channel] = {}
    if notify.email is not None:
        email = notify.email
        found["email"] = lambda message: send_email(email, message)
    if notify.webhook is not None:
        webhook = notify.webhook
        found["webhook"] = lambda message: post(webhook, message)
    return found


def send_email(server: Email, message: Message) -> None:
    """One mail to all receivers (RFC 5321, 5322)."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = server.sender, ", ".join(server.to), message.subject
    mail["Date"], mail["Auto-Submitted"] = format_datetime(message.time), "auto-generated"
    mail["Message-ID"] = make_msgid(message.identity.replace("/", "."), server.sender.rpartition("@")[2])
    mail.set_content(message.text)
    try:
        with _connected(server) as client:
            if server.username is not None:
                client.login(server.username, server.password.get_secret_value() if server.password else "")
            refused = client.send_message(mail)
    except smtplib.SMTPAuthenticationError:
        raise DeliveryError(f"{server.host} refuses the user name and password") from None
    except (OSError, smtplib.SMTPException, ssl.SSLError) as error:
        raise DeliveryError(f"{server.host}:{server.port}: {reason(error)}") from None
    if refused:
        raise DeliveryError(f"{server.host} refuses {', '.join(sorted(refused))}")


def post(webhook: Webhook, message: Message) -> None:
    """One signed request, as Standard Webhooks 1.0 describes it; redirections are not followed."""
    body = json.dumps(message.content, ensure_ascii=False, separators=(",", ":")).encode()
    stamp = str(int(message.time.timestamp()))
    request = urllib.request.Request(webhook.url, body, method="POST")  # noqa: S310 - http or https by the settings
    request.add_header("Content-Type", "application/json")
    request.add_header("User-Agent", "Spotter")
    request.add_header("webhook-id", message.identity)
    request.add_header("webhook-timestamp", stamp)
    request.add_header("webhook-signature", signature(webhook.secret.get_secret_value(), message.identity, stamp, body))
    try:
        with no_redirect().open(request, timeout=TIMEOUT_SECONDS) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        raise DeliveryError(f"the webhook answers {error.code}") from None
    except (OSError, ValueError, HTTPException) as error:
        raise DeliveryError(f"the webhook does not answer ({reason(error)})") from None


def signature(secret: str, identity: str, stamp: str, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64."""
    signed = hmac.new(secret.encode(), f"{identity}.{stamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None is followed: what is signed for one receiver is for no other."""


def no_redirect() -> urllib.request.OpenerDirector:
    """What posts without following redirections."""
    return urllib.request.build_opener(_NoRedirect)


def _connected(server: Email) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_SECONDS, context=context)
    client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    if server.security == "starttls":
        try:
            client.starttls(context=context)
        except BaseException:
            client.close()
            raise
    return client


def reason(error: Exception) -> str:
    """The cause in a line; no address or password stands in it."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return reason(error.reason)
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answers {error.smtp_code}"
    return str(getattr(error, "strerror", None) or type(error).__name__)
