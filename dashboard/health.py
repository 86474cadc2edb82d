"""``/healthz`` and ``/metrics``: the truth for monitors, and ``/livez``: that this process answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Flask, Response, abort, g, request
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboard.auth import may
from dashboard.context import Context, current
from dashboard.live.watcher import Watcher
from dashboard.security import client_address, is_loopback

bp = Blueprint("health", __name__)

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while every part and camera works, else 503. Strangers read only that; who sees the live page reads why."""
    watcher = current().watcher
    parts = watcher.parts()
    well = all(part.state == "ok" for part in parts)
    body: dict[str, Any] = {
        "status": "ok" if well else "degraded",
        "parts": {part.part: part.state for part in parts},
    }
    if request.cookies and parts[0].state == "ok" and may("live.page"):
        body["reasons"] = {part.part: part.reason for part in parts if part.reason}
        body["cameras"] = {tile.camera: {"state": tile.state, "reason": tile.reason} for tile in watcher.tiles()}
    return body, 200 if well else 503


@bp.get("/livez")
def livez() -> ResponseReturnValue:
    """That the process answers: what may restart it. A camera without power is no reason to."""
    return {"status": "ok"}


class LiveCollector(Collector):
    """Cameras, parts and open sessions, read when they are asked for."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def collect(self) -> Iterator[Metric]:
        """The families of this moment."""
        tiles = self._watcher.tiles()
        states = GaugeMetricFamily("spotter_cameras", "Cameras in each state.", labels=["state"])
        for state in ("online", "degraded", "offline", "unknown"):
            states.add_metric([state], sum(tile.state == state for tile in tiles))
        yield states
        fps = GaugeMetricFamily("spotter_camera_detected_fps", "Frames looked at in a second.", labels=["camera"])
        latency = GaugeMetricFamily(
            "spotter_camera_latency_seconds", "From frame captured to scene published.", labels=["camera"]
        )
        for tile in tiles:
            fps.add_metric([tile.camera], tile.fps)
            if tile.latency_ms is not None:
                latency.add_metric([tile.camera], tile.latency_ms / 1000)
        yield fps
        yield latency
        parts = GaugeMetricFamily("spotter_part_up", "1 while the part works as it should.", labels=["part"])
        for part in self._watcher.parts():
            parts.add_metric([part.part], part.state == "ok")
        yield parts
        yield GaugeMetricFamily(
            "spotter_open_sessions", "Usage sessions that are open.", value=self._watcher.open_sessions()
        )


def init_app(app: Flask, context: Context) -> None:
    """Count and time requests, and serve the pages above."""
    registry = CollectorRegistry()
    requests = Counter(
        "spotter_http_requests", "Requests answered.", ["method", "endpoint", "status"], registry=registry
    )
    seconds = Histogram(
        "spotter_http_request_seconds", "Time to answer.", ["endpoint"], registry=registry, buckets=_BUCKETS
    )
    # auto_describe is off, so registering does not start the watching threads.
    registry.register(LiveCollector(context.watcher))

    def begin() -> None:
        g.request_began = time.perf_counter()

    def end(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        method = request.method if request.method in ("GET", "HEAD", "POST") else "other"
        requests.labels(method, endpoint, str(response.status_code)).inc()
        if endpoint not in ("live.events", "kiosk.events") and "request_began" in g:
            seconds.labels(endpoint).observe(time.perf_counter() - g.request_began)
        return response

    def metrics() -> ResponseReturnValue:
        if not is_loopback(client_address()) and not may("live.page"):
            abort(403)
        return Response(generate_latest(registry), mimetype="text/plain", content_type="text/plain; version=0.0.4")

    app.before_request(begin)
    app.after_request(end)
    app.register_blueprint(bp)
    app.add_url_rule("/metrics", "health.metrics", metrics)
