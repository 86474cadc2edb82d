"""Serving a part's Prometheus metrics."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server

from spotter.errors import ServerError


def serve_metrics(port: int, registry: CollectorRegistry = REGISTRY) -> None:
    """Serve `/metrics` to this machine alone. Raises ServerError where the port is taken."""
    try:
        start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise ServerError(f"metrics port {port}: {error.strerror}; choose another --metrics-port") from error
