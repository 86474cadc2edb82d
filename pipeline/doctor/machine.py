"""What every machine needs: a writable data folder, the detector, cameras that answer, servers that can be reached."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import time
from collections.abc import Iterator

import spotter
from pipeline.doctor.findings import Row
from spotter.errors import CameraError, install
from spotter.settings import Camera, Settings
from spotter.weights import weights_in_use

LEAST_FREE_MIB = 1024

_CONNECT_SECONDS = 5.0
_POLL_SECONDS = 0.05


def system(settings: Settings) -> Row:
    """Which Spotter on what."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    where = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {cores} cores"
    return Row("system", "fine", f"Spotter {spotter.__version__}, engine {settings.engine}, {where}")


def data_folder(settings: Settings) -> Iterator[Row]:
    """Whether it can be written, and how much is free."""
    folder = settings.data
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".doctor"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        yield Row("data folder", "failed", f"{folder}: {error.strerror}", "give this user the right to write there")
        return
    free = shutil.disk_usage(folder).free // 2**20
    needed = max(LEAST_FREE_MIB, settings.outbox.mebibytes)
    state, mend = ("fine", "") if free >= needed else ("warning", f"free the disk: an outage may need {needed} MiB")
    yield Row("data folder", "fine" if state == "fine" else "warning", f"{folder}: writable, {free} MiB free", mend)


def detector(settings: Settings) -> Row:
    """Whether the model runs here, and how fast."""
    path = weights_in_use(settings)
    if importlib.util.find_spec("onnxruntime") is None:
        state = "skipped" if settings.engine == "deepstream" else "failed"
        mend = "" if state == "skipped" else install("cpu")
        return Row("detector", "skipped" if state == "skipped" else "failed", f"{path.name}: no onnxruntime here", mend)
    from spotter.detector import Detector

    model = Detector(path, threads=settings.detector.threads)
    model.warm_up()
    began = time.perf_counter()
    model.warm_up()
    milliseconds = 1000 * (time.perf_counter() - began)
    return Row(
        "detector", "fine", f"{path.name}: {len(model.labels)} classes, {milliseconds:.0f} ms a picture on the CPU"
    )


def cameras(settings: Settings) -> Iterator[Row]:
    """Whether each gives a picture."""
    if not settings.cameras:
        yield Row("cameras", "failed", "none in the settings", "add one: `uri: rtsp://…` or `uri: clip.mp4`")
    if importlib.util.find_spec("cv2") is None:
        yield Row("cameras", "skipped", "no OpenCV here to open them with")
        return
    for name, camera in settings.cameras.items():
        yield _camera(name, camera)


def _camera(name: str, camera: Camera) -> Row:
    from pipeline.capture import open_capture

    capture = open_capture(name, camera)
    began = time.monotonic()
    try:
        info = capture.open()
        capture.grab()
    except CameraError as error:
        return Row(f"camera {name}", "failed", str(error).removeprefix(f"camera '{name}': "), "as it says")
    finally:
        capture.close()
    rate = f"{info.fps:.3g} a second" if info.fps else "rate unknown"
    seconds = time.monotonic() - began
    return Row(
        f"camera {name}", "fine", f"{info.width}x{info.height}, {rate}, {info.codec}; first picture in {seconds:.1f} s"
    )


def broker(settings: Settings) -> Row:
    """Whether the MQTT broker lets us in."""
    if settings.mqtt is None:
        return Row("MQTT broker", "skipped", "none named: `spotter up` starts its own")
    from spotter.mqtt import MqttClient

    client = MqttClient(settings.mqtt, f"spotter-doctor-{os.getpid()}")
    client.start()
    try:
        until = time.monotonic() + _CONNECT_SECONDS
        while not client.connected and not client.refusal and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        if client.connected:
            return Row("MQTT broker", "fine", f"{settings.mqtt.url}: connected")
        reason = client.refusal or f"no answer within {_CONNECT_SECONDS:.0f} s"
        return Row("MQTT broker", "failed", f"{settings.mqtt.url}: {reason}", "check `mqtt:` in the settings")
    finally:
        client.stop()


def redis(settings: Settings) -> Row:
    """Whether Redis answers."""
    if settings.redis is None:
        return Row("Redis", "skipped", "none named: `spotter up` starts its own")
    if importlib.util.find_spec("redis") is None:
        return Row("Redis", "skipped", "its client is not installed here; only consumers need it")
    import redis as client

    try:
        with client.Redis.from_url(settings.redis.url.get_secret_value(), socket_timeout=_CONNECT_SECONDS) as server:
            server.ping()
            version = server.info("server")["redis_version"]
    except client.RedisError as error:
        return Row("Redis", "failed", f"does not answer ({error})", "check `redis:` in the settings")
    return Row("Redis", "fine", f"{version}: answers")


def database(settings: Settings) -> Row:
    """Whether the database opens."""
    if importlib.util.find_spec("sqlalchemy") is None:
        return Row("database", "skipped", "its client is not installed here; only consumers need it")
    if settings.database is None and not settings.sqlite_path.is_file():
        return Row("database", "skipped", f"{settings.sqlite_path}: not made yet; `spotter up` makes it")
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    from spotter.database.engine import open_database

    engine = open_database(settings.database_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return Row("database", "failed", f"{engine.dialect.name} does not open ({reason})", "check `database:`")
    finally:
        engine.dispose()
    return Row("database", "fine", f"{engine.dialect.name}: opens")
