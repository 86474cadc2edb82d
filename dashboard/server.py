"""Serving the application with gunicorn: one process with many threads, on an address that is known to be free."""

from __future__ import annotations

import errno
import gc
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from dashboard.context import attached
from dashboard.notify.sender import Sender
from spotter.errors import ServerError
from spotter.supervisor import end_with_parent

THREADS = 100
"""Each open page holds one for its stream of events (80 at most, see ``live.views``); the rest answers requests."""

GRACE_SECONDS = 2
"""Time for requests to end at a stop; streams end at once."""

LET_GO_SECONDS = 2.5
"""Where the kernel does not end the worker of a dashboard that was killed, it notices within a second or two."""

_REASONS = {errno.EADDRINUSE: "the port is in use", errno.EACCES: "the port needs more rights"}


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ServerError, with the mend, when the address is in use or not this machine's."""
    deadline = time.monotonic() + LET_GO_SECONDS
    bound = _bind(host, port)
    while isinstance(bound, OSError) and bound.errno == errno.EADDRINUSE and time.monotonic() < deadline:
        time.sleep(0.1)
        bound = _bind(host, port)
    if isinstance(bound, OSError):
        reason = _REASONS.get(bound.errno or 0, bound.strerror or str(bound))
        mend = "choose another with --port, or `dashboard.port`"
        raise ServerError(f"dashboard {host}:{port}: {reason}; {mend}") from bound
    return bound


def _bind(host: str, port: int) -> socket.socket | OSError:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        return error


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
            # Else it would go on serving for seconds, and nobody could tell it to stop.
            "post_fork": lambda _, __: end_with_parent(signal.SIGKILL),
            "post_worker_init": _start_watching,
            "worker_exit": _stop_watching,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, made in the worker: its threads must not be forked."""
        return self._make_app()


def settle() -> None:
    """Leave what the application is made of out of every later garbage collection, which would look through all of it.

    Else an answer now and then takes a tenth of a second longer. Collections are made rarer, too: the rows of a large
    answer would set off many, which find nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def _start_watching(worker: Any) -> None:
    settle()
    context = attached(worker.wsgi)
    context.watcher.ensure_started()
    worker.spotter_sender = Sender(context.settings, context.engine, context.catalog, context.push)
    worker.spotter_sender.start()


def _stop_watching(_: Any, worker: Any) -> None:
    if getattr(worker, "wsgi", None) is not None:
        worker.spotter_sender.stop()
        attached(worker.wsgi).watcher.stop()
