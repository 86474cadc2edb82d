"""Serving the application with gunicorn: one process with many threads, on an address that is known to be free."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from dashboard.context import attached
from spotter.errors import ServerError

THREADS = 100
"""Each open page holds one for its stream of events (80 at most, see ``live.views``); the rest answers requests."""

GRACE_SECONDS = 2
"""Time for requests to end at a stop; streams end at once."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ServerError, with the mend, when the address is in use or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        reason = {98: "the port is in use", 48: "the port is in use", 13: "the port needs more rights"}.get(
            error.errno or 0, error.strerror or str(error)
        )
        raise ServerError(
            f"dashboard {host}:{port}: {reason}; choose another with --port, or `dashboard.port`"
        ) from error


def address(listening: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not bound to
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The application under gunicorn, which replaces a worker that dies."""

    def __init__(self, make_app: Callable[[], Flask], listening: socket.socket, ready: Callable[[], None]) -> None:
        self._make_app, self._ready = make_app, ready
        # gunicorn duplicates the descriptor and closes this one: nobody else may still hold it.
        self._descriptor = listening.detach()
        super().__init__()

    def load_config(self) -> None:
        """What gunicorn is told."""
        options: dict[str, Any] = {
            "bind": f"fd://{self._descriptor}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "timeout": 30,
            "graceful_timeout": GRACE_SECONDS,
            "keepalive": 5,
            "loglevel": "warning",
            "proc_name": "spotter-dashboard",
            "control_socket_disable": True,
            "when_ready": lambda _: self._ready(),
            "post_worker_init": _start_watching,
            "worker_exit": _stop_watching,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, made in the worker: its threads must not be forked."""
        return self._make_app()


def _start_watching(worker: Any) -> None:
    attached(worker.wsgi).watcher.ensure_started()


def _stop_watching(_: Any, worker: Any) -> None:
    if getattr(worker, "wsgi", None) is not None:
        attached(worker.wsgi).watcher.stop()
