"""Why a camera or file can't be opened, in plain words: OpenCV only says that it can't."""

from __future__ import annotations

import http.client
import re
import socket
from pathlib import Path
from urllib.parse import quote, urlsplit

from pipeline.capture.login import authorization
from spotter.errors import CameraError, LogInRefusedError
from spotter.settings import Camera

TIMEOUT_SECONDS = 3.0

_LONGEST_HEAD = 1 << 14

_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_ASKED_AS_THEY_ARE = "%/?:@!$&'()*+,;=[]"  # what an address may hold without being quoted, or is quoted already
_LOG_IN = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY = re.compile(r"(://[^?\s]*\?)\S+")


def without_credentials(text: str) -> str:
    """The text with the log-in of every address in it taken out, and the query, which may hold one."""
    return _QUERY.sub(r"\1…", _LOG_IN.sub("", text))


def shown(camera: Camera) -> str:
    """A camera's address as people may see it."""
    if isinstance(camera.uri, int):
        return f"webcam {camera.uri}"
    return without_credentials(camera.uri)


def failure(name: str, camera: Camera, reason: str) -> CameraError:
    """The error of a camera that gives no pictures for this reason."""
    kind = LogInRefusedError if reason == log_in_refused(camera) else CameraError
    return kind(f"camera '{name}': {shown(camera)}: {reason}")


def why_not_open(camera: Camera) -> str:
    """The likeliest reason, with the mend, for a camera that did not open. Asks the camera; takes a few seconds."""
    if isinstance(camera.uri, int):
        return _webcam(camera.uri)
    if camera.is_file:
        return _file(Path(camera.uri))
    parts = urlsplit(camera.uri)
    try:
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "the address has no valid port; check it"
    if not host or port is None:
        return "the address is not one that can be opened; use rtsp://, http:// or the path of a file"
    try:
        with socket.create_connection((host, port), TIMEOUT_SECONDS) as connection:
            if parts.scheme == "rtsp":
                return _rtsp(connection, _LOG_IN.sub("", camera.uri), camera)
    except (socket.gaierror, UnicodeError):  # the latter where no name can be so: an empty part, or one too long
        return f"no device is called {host}; check the address"
    except ConnectionRefusedError:
        return f"connection refused at {host}:{port}; check the port, and that the camera streams"
    except TimeoutError:
        return f"no answer from {host}:{port}; check the address, the network and the camera's power"
    except OSError as error:
        return f"{host}:{port} can't be reached ({error.strerror or type(error).__name__}); check the network"
    if parts.scheme in ("http", "https"):
        path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_ASKED_AS_THEY_ARE)
        return _http(parts.scheme, host, port, path, camera)
    return _UNREADABLE


_UNREADABLE = "it answers, but gives no video that can be read; check the stream's path and its codec"


def log_in_refused(camera: Camera) -> str:
    """The reason of a camera that wants another log-in, or one at all."""
    if camera.username is None:
        return "it asks for a log-in; give `username:` and `password:`"
    return "the log-in is refused; check `username:` and `password:`"


def _webcam(number: int) -> str:
    device = Path(f"/dev/video{number}")
    if Path("/dev").is_dir() and not device.exists():
        return f"there is no {device}; plug the webcam in, or check its number"
    return f"{device} does not open; another program may use it, or this user may not"


def _file(path: Path) -> str:
    if not path.exists():
        return "no such file; check the path"
    if path.is_dir():
        return "this is a folder; name a video file"
    try:
        with path.open("rb") as file:
            if not file.read(1):
                return "the file is empty"
    except OSError as error:
        return f"the file can't be read ({error.strerror}); check its permissions"
    return "not a video that can be read; convert it, for example with: ffmpeg -i IN -c:v libx264 OUT.mp4"


def _rtsp(connection: socket.socket, address: str, camera: Camera) -> str:
    """Ask for the stream's description, with the log-in where one is wanted, and read the camera's answer."""
    connection.settimeout(TIMEOUT_SECONDS)
    status, challenges = _describe(connection, address, 1)
    if status == "401" and (proof := authorization(challenges, camera, "DESCRIBE", address)):
        status, _ = _describe(connection, address, 2, f"Authorization: {proof}\r\n")
    if status in ("401", "403"):
        return log_in_refused(camera)
    if status in ("404", "454"):
        return "the camera has no stream at this path; check the address's end"
    if status == "453":
        return "the camera serves no more viewers; close another one"
    if status.startswith("5"):
        return f"the camera answers with an error ({status}); it may still be starting"
    return _UNREADABLE


def _describe(connection: socket.socket, address: str, sequence: int, more: str = "") -> tuple[str, list[str]]:
    """The status of the answer, empty when it is none of RTSP, and the log-ins that the camera knows."""
    head = f"DESCRIBE {address} RTSP/1.0\r\nCSeq: {sequence}\r\nAccept: application/sdp\r\n{more}\r\n"
    connection.sendall(head.encode())
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _LONGEST_HEAD:
        received = connection.recv(4096)
        if not received:
            break
        answer += received
    lines = answer.decode("latin-1").split("\r\n")
    status = lines[0].split(" ", 2)[1] if lines[0].startswith("RTSP/") and " " in lines[0] else ""
    names = (line.partition(":") for line in lines)
    return status, [value.strip() for name, _, value in names if name.lower() == "www-authenticate"]


def _http(scheme: str, host: str, port: int, path: str, camera: Camera) -> str:
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=TIMEOUT_SECONDS)
    try:
        status, challenges = _get(connection, path)
        if status == 401 and (proof := authorization(challenges, camera, "GET", path)):
            connection.close()
            status, _ = _get(connection, path, {"Authorization": proof.encode()})
    except (OSError, http.client.HTTPException) as error:
        return f"{host}:{port} does not speak {scheme.upper()} ({type(error).__name__}); check the address"
    finally:
        connection.close()
    if status in (401, 403):
        return log_in_refused(camera)
    if status == 404:
        return "nothing is at this path (404); check the address's end"
    return _UNREADABLE if status < 400 else f"the server answers with an error ({status})"


def _get(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, bytes] | None = None
) -> tuple[int, list[str]]:
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.headers.get_all("WWW-Authenticate") or []
