"""A part's figures are served to this machine."""

from __future__ import annotations

import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from spotter.embedded.servers import free_port
from spotter.errors import ServerError
from spotter.metrics import serve_metrics


def test_figures_are_served_and_a_taken_port_is_named() -> None:
    registry = CollectorRegistry()
    Counter("scenes", "Scenes taken", registry=registry).inc(3)
    port = free_port()
    serve_metrics(port, registry)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"scenes_total 3.0" in answer.read()
    with pytest.raises(ServerError, match=f"metrics port {port}: .*; choose another"):
        serve_metrics(port, registry)
