"""A camera of its own process: a real RTSP server that encodes a test picture, to be killed, frozen and started again.

`GstCamera` is what tests use. Run as a program it serves until it is killed; SIGUSR1 turns garbage in the place of
pictures on and off, without any change of the connection.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ENCODERS = {
    "h264": "x264enc speed-preset=ultrafast tune=zerolatency key-int-max={fps} byte-stream=true ! rtph264pay",
    "h265": "x265enc speed-preset=ultrafast tune=zerolatency key-int-max={fps} ! rtph265pay",
}


class GstCamera:
    """One such process on a port that it keeps over restarts."""

    def __init__(
        self,
        codec: str = "h264",
        *,
        size: str = "320x180",
        fps: int = 15,
        login: str = "",
        scheme: str = "basic",
        certificate: Path | None = None,
    ) -> None:
        """`certificate`: a PEM file with its key; the camera speaks TLS then."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        told = {"codec": codec, "size": size, "fps": fps, "login": login, "scheme": scheme}
        self._scheme = "rtsps" if certificate else "rtsp"
        self._arguments = [f"--{name}={value}" for name, value in told.items()]
        self._arguments += [f"--certificate={certificate}"] if certificate else []
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def uri(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/stream"

    def start(self) -> float:
        """Serve; gives the monotonic time from which viewers get an answer."""
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), "--port", str(self.port), *self._arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return time.monotonic()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> float:
        self._signal(signal.SIGCONT)
        return time.monotonic()

    def toggle_garbage(self) -> float:
        self._signal(signal.SIGUSR1)
        return time.monotonic()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


def serve(port: int, codec: str, size: str, fps: int, login: str, scheme: str, certificate: str) -> None:
    import gi

    for part in ("Gst", "GstRtsp", "GstRtspServer"):
        gi.require_version(part, "1.0")
    from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer

    Gst.init(None)
    width, height = size.split("x")
    garbage = False

    def toggle() -> bool:
        nonlocal garbage
        garbage = not garbage
        return True

    def spoil(pad: Any, info: Any) -> Any:
        if not garbage:
            return Gst.PadProbeReturn.OK
        packet = info.get_buffer() if info.type & Gst.PadProbeType.BUFFER else info.get_buffer_list().get(0)
        noise = Gst.Buffer.new_wrapped(packet.extract_dup(0, 12) + random.randbytes(400))  # 12: the RTP header
        noise.pts, noise.dts = packet.pts, packet.dts
        pad.get_peer().chain(noise)
        return Gst.PadProbeReturn.DROP

    def configure(_: Any, media: Any) -> None:
        payloader = media.get_element().get_by_name("pay0")
        payloader.set_property("config-interval", 1)
        payloader.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, spoil)

    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=str(port))
    factory = GstRtspServer.RTSPMediaFactory(shared=True)
    factory.set_launch(
        f"( videotestsrc is-live=true pattern=smpte75 ! video/x-raw,width={width},height={height},framerate={fps}/1 "
        f"! {ENCODERS[codec].format(fps=fps)} name=pay0 pt=96 )"
    )
    factory.connect("media-configure", configure)
    if login:
        auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        user, password = login.split(":", 1)
        if scheme == "digest":
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(user, password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        if certificate:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/stream", factory)
    assert server.attach(None), "the port is taken"
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR1, toggle)
    parent = os.getppid()
    GLib.timeout_add(500, lambda: os.getppid() == parent or os._exit(0))  # a killed test leaves no camera behind
    print("ready", flush=True)  # noqa: T201
    GLib.MainLoop().run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, kind in (
        ("port", int),
        ("codec", str),
        ("size", str),
        ("fps", int),
        ("login", str),
        ("scheme", str),
        ("certificate", str),
    ):
        parser.add_argument(f"--{name}", type=kind)
    serve(**vars(parser.parse_args()))
