"""A small RTSP camera: serves an H.264 file over TCP, again and again, to viewers who may have to log in."""

from __future__ import annotations

import base64
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

_PAYLOAD_TYPE, _CLOCK, _FPS = 96, 90_000, 10


def encode_h264(clip: Path, path: Path) -> Path:
    """The clip as bare H.264 whose every picture can be decoded by itself."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg (apt install ffmpeg)")
    arguments = [
        "-i",
        str(clip),
        "-c:v",
        "libx264",
        "-g",
        "1",
        "-bf",
        "0",
        "-pix_fmt",
        "yuv420p",
        "-bsf:v",
        "h264_mp4toannexb",
    ]
    command = ["ffmpeg", "-v", "error", "-y", *arguments, "-x264-params", "slices=1:aud=0", "-f", "h264", str(path)]
    subprocess.run(command, check=True)
    return path


class RtspCamera:
    """Listens on a free port until closed; `silence` makes it stop sending while connections stay open."""

    def __init__(self, stream: Path, login: tuple[str, str] | None = None) -> None:
        self.silence = False
        self.opened = 0
        self._units = [unit for unit in re.split(rb"\x00\x00\x00?\x01", stream.read_bytes()) if unit]
        self._login = "Basic " + base64.b64encode(":".join(login).encode()).decode() if login else None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def uri(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/stream"

    def drop_viewers(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def close(self) -> None:
        self._closed.set()
        self._server.close()
        self.drop_viewers()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        buffer = b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    received = connection.recv(4096)
                    if not received:
                        return
                    buffer += received
                request, buffer = buffer.split(b"\r\n\r\n", 1)
                if self._answer(connection, request.decode("latin-1")):
                    threading.Thread(target=self._stream, args=(connection,), daemon=True).start()
        except OSError:
            return

    def _answer(self, connection: socket.socket, request: str) -> bool:
        method = request.split(" ", 1)[0]
        sequence = re.search(r"CSeq: *(\d+)", request)
        head = f"CSeq: {sequence.group(1) if sequence else 0}\r\n"
        status, more, body = "200 OK", "", ""
        if self._login and method != "OPTIONS" and f"Authorization: {self._login}" not in request:
            status, more = "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"\r\n'
        elif method == "DESCRIBE" and "/stream" not in request:
            status = "404 Not Found"
        elif method == "DESCRIBE":
            sets = ",".join(base64.b64encode(unit).decode() for unit in self._units[:2])
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                f"a=rtpmap:96 H264/{_CLOCK}\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\n"
                "a=control:track1\r\n"
            )
            more = f"Content-Type: application/sdp\r\nContent-Base: {self.uri}/\r\n"
        elif method == "SETUP":
            more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
        elif method == "PLAY":
            more = "Session: 1\r\nRange: npt=0.000-\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        connection.sendall(f"RTSP/1.0 {status}\r\n{head}{more}{length}\r\n{body}".encode())
        return method == "PLAY" and status == "200 OK"

    def _stream(self, connection: socket.socket) -> None:
        self.opened += 1
        number = stamp = 0
        try:
            while not self._closed.is_set():
                for unit in self._units:
                    while self.silence:
                        time.sleep(0.05)
                    is_picture = unit[0] & 31 in (1, 5)
                    head = struct.pack("!BBHII", 0x80, _PAYLOAD_TYPE | (is_picture << 7), number & 0xFFFF, stamp, 1)
                    packet = head + unit
                    assert len(packet) < 65536
                    connection.sendall(struct.pack("!cBH", b"$", 0, len(packet)) + packet)
                    number += 1
                    if is_picture:
                        stamp = (stamp + _CLOCK // _FPS) & 0xFFFFFFFF
                        time.sleep(1 / _FPS)
        except OSError:
            return
