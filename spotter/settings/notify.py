"""Who is told of alerts outside the pages: by mail, by webhook and in browsers."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, SecretStr, model_validator

from spotter.events import AlertKind
from spotter.settings.section import Section

_MAIL = r"^[^@\s<>,;]+@[^@\s<>,;]+$"
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"


class Email(Section):
    """A mail server, and whom to write to."""

    host: str = Field(min_length=1, title="Host", description="the mail server, such as smtp.example.org")
    port: int = Field(587, ge=1, le=65535, title="Port", description="usually 587 with starttls, 465 with tls")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", title="Security", description="none only for a server on this machine or a trusted network"
    )
    username: str | None = Field(None, title="User name", description="for the mail server's log-in")
    password: SecretStr | None = Field(None, title="Password", description="better as ${NAME} from the environment")
    sender: str = Field(pattern=_MAIL, title="Sender", description="the address that mails come from")
    to: Annotated[tuple[Annotated[str, Field(pattern=_MAIL)], ...], Field(min_length=1, max_length=50)] = Field(
        title="To", description="the addresses that mails go to"
    )


class Webhook(Section):
    """A program of yours that is told over HTTP."""

    url: str = Field(pattern=r"^https?://[^/?#@]+(/[^#]*)?$", title="Address", description="where to post to")
    secret: SecretStr = Field(
        min_length=16, title="Secret", description="what signs each message (Standard Webhooks); ${NAME}, 16 letters up"
    )


class Notify(Section):
    """Who is told of alerts, besides the dashboard and MQTT."""

    kinds: tuple[AlertKind, ...] = Field(get_args(AlertKind), title="Kinds", description="only these kinds of alerts")
    language: Literal["en", "ko"] = Field(
        "en", title="Language", description="of mails and webhooks; browsers are told in their own"
    )
    quiet_from: str | None = Field(
        None, pattern=_CLOCK, title="Quiet from", description="local time, such as 22:00, from which nobody is told"
    )
    quiet_to: str | None = Field(
        None, pattern=_CLOCK, title="Quiet to", description="until then; what is still open is told of afterwards"
    )
    email: Email | None = Field(None, title="E-mail", description="mails for each alert")
    webhook: Webhook | None = Field(None, title="Webhook", description="a signed message for each alert")
    push_services: tuple[str, ...] = Field(
        (
            "fcm.googleapis.com",
            "jmt17.google.com",
            "push.services.mozilla.com",
            "push.apple.com",
            "notify.windows.com",
        ),
        title="Push services",
        description="hosts to which notifications for browsers may be sent; they see none of what is in them",
    )

    @model_validator(mode="after")
    def _both_ends(self) -> Notify:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet hours need both `quiet_from` and `quiet_to`")
        return self
