"""What the views of one application share: settings, database, catalogue, live state."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import redis
from flask import Flask, current_app
from sqlalchemy import Engine

from spotter.catalog import Catalog
from spotter.settings import Settings

if TYPE_CHECKING:
    from dashboard.live.watcher import Watcher
    from dashboard.notify.push import Push

_KEY = "spotter"


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one application, made once by its factory."""

    settings: Settings
    engine: Engine
    catalog: Catalog
    redis: redis.Redis | None
    """None where the settings name no Redis: pages then say that live state is not known."""
    watcher: Watcher
    push: Push

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The gym's time zone."""
        return zoneinfo.ZoneInfo(self.settings.timezone)


def attach(app: Flask, context: Context) -> None:
    """Give `app` its context."""
    app.extensions[_KEY] = context


def current() -> Context:
    """The context of the application that answers this request."""
    return attached(current_app)


def attached(app: Flask) -> Context:
    """The context that `app` was given."""
    return cast(Context, app.extensions[_KEY])
