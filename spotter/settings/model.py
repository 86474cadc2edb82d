"""The shape of ``gym.yaml``: every setting with its title, meaning, bounds and default."""

from __future__ import annotations

import re
import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from spotter.settings.notify import Notify
from spotter.settings.rules import RuleOverrides, Rules
from spotter.settings.section import Name, Section

_RESERVED_CAMERAS = {"usage", "equipment", "count", "alert"}
# As SQLAlchemy reads an address: a password may hold anything but "@".
_DATABASE_URL = re.compile(
    r"sqlite(\+pysqlite)?:///.*"
    r"|postgresql(\+psycopg)?://([^:/]*(:[^@]*)?@)?(\[[^/?]+\]|[^/:?]+)?(:\d*)?(/[^?]*)?(\?.*)?"
)


Coordinate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate]


def _split(url: str, mend: str) -> SplitResult:
    """The parts of an address. Raises ValueError with the mend for a port or a host that is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(mend) from None
    return parts


def _has_area(polygon: tuple[Point, ...]) -> tuple[Point, ...]:
    ring = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    if abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in ring)) < 1e-6:
        raise ValueError("the polygon has no area; give at least three corners that are not on one line")
    return polygon


Polygon = Annotated[
    tuple[Point, ...],
    Field(
        min_length=3,
        max_length=100,
        title="Corners",
        description="[x, y] corners relative to the picture: [0, 0] is its top left, [1, 1] its bottom right",
    ),
    AfterValidator(_has_area),
]


class _ZoneBase(Section):
    polygon: Polygon
    rules: RuleOverrides = Field(RuleOverrides(), title="Rules", description="thresholds for this zone only")


class StationZone(_ZoneBase):
    """Fixed equipment: used while a person is in it."""

    kind: Literal["station"]
    equipment: Name = Field(title="Equipment", description="what stands here, such as treadmill")
    unit: Name | None = Field(None, title="Unit", description="which one it is; the zone's name unless given")


class RackZone(_ZoneBase):
    """The home of portable kit."""

    kind: Literal["rack"]
    holds: dict[Name, Annotated[int, Field(ge=1, le=1000)]] = Field(
        {}, title="Holds", description="how many of each label belong here, such as {kettlebell: 4}"
    )


class FloorZone(_ZoneBase):
    """Where portable kit may be used."""

    kind: Literal["floor"]


class WalkwayZone(_ZoneBase):
    """Where nothing may lie."""

    kind: Literal["walkway"]


class WaitingZone(_ZoneBase):
    """Where people wait for stations."""

    kind: Literal["waiting"]
    for_: tuple[Name, ...] = Field((), alias="for", title="For", description="the units that people wait for here")


class KioskZone(_ZoneBase):
    """Where an item is held up to be identified."""

    kind: Literal["kiosk"]


Zone = Annotated[
    StationZone | RackZone | FloorZone | WalkwayZone | WaitingZone | KioskZone, Field(discriminator="kind")
]


class Camera(Section):
    """One camera, or a clip that stands for one."""

    uri: str | Annotated[int, Field(ge=0)] = Field(
        title="Address", description="rtsp://… or http://… address, path of a video file, or number of a webcam"
    )
    username: str | None = Field(None, title="User name", description="for the camera's log-in")
    password: SecretStr | None = Field(
        None, title="Password", description="for the camera's log-in; better as ${NAME} from the environment"
    )
    detect_fps: float = Field(
        5, gt=0, le=60, title="Detections per second", description="at most this many frames a second are looked at"
    )
    loop: bool = Field(False, title="Loop", description="play a video file again and again, as the demo does")
    zones: dict[Name, Zone] = Field({}, title="Zones", description="named areas of the picture")

    @field_validator("uri", mode="before")
    @classmethod
    def _path_address_or_number(cls, uri: Any) -> Any:
        if isinstance(uri, bool) or not (isinstance(uri, str) or (isinstance(uri, int) and uri >= 0)):
            raise ValueError("give a path, an address or a webcam's number")
        return uri

    @field_validator("uri")
    @classmethod
    def _no_credentials_in_address(cls, uri: str | int) -> str | int:
        if isinstance(uri, int) or "://" not in uri:
            if uri == "":
                raise ValueError("the address is empty")
            return uri
        if "@" in _split(uri, "give the camera as rtsp://host:port/path or http://…").netloc:
            raise ValueError("keep credentials out of the address: use `username:` and `password: ${NAME}`")
        return uri

    @property
    def is_file(self) -> bool:
        """Whether the address is a path rather than a stream or a webcam."""
        return isinstance(self.uri, str) and "://" not in self.uri

    @property
    def is_kiosk(self) -> bool:
        """Whether items are held up to this camera."""
        return any(zone.kind == "kiosk" for zone in self.zones.values())

    def connection_uri(self) -> str | int:
        """The address with its credentials, for opening the camera only: never log, show or send it."""
        if isinstance(self.uri, int) or self.is_file or self.username is None:
            return self.uri
        secret = self.password.get_secret_value() if self.password else ""
        parts = urlsplit(self.uri)
        user = quote(self.username, safe="") + (f":{quote(secret, safe='')}" if secret else "")
        return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))


class DetectorSettings(Section):
    """How objects are found."""

    confidence: float = Field(
        0.4,
        gt=0,
        lt=1,
        title="Confidence",
        description="an object begins at this score; fainter boxes only continue it",
    )
    iou: float = Field(0.45, gt=0, lt=1, title="Overlap", description="IoU above which two boxes are one object")
    threads: int | None = Field(None, ge=1, le=256, title="Threads", description="CPU threads; all cores unless given")


class Mqtt(Section):
    """The MQTT broker. Left out: Spotter starts its own on this machine."""

    url: str = Field(title="Address", description="mqtt://host:1883 or mqtts://host:8883")
    username: str | None = Field(None, title="User name", description="for the broker's log-in")
    password: SecretStr | None = Field(None, title="Password", description="better as ${NAME} from the environment")
    ca_file: Path | None = Field(None, title="CA file", description="certificates to trust for mqtts, PEM")

    @field_validator("url")
    @classmethod
    def _mqtt_url(cls, url: str) -> str:
        mend = "give the broker as mqtt://host:port or mqtts://host:port"
        parts = _split(url, mend)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError(mend)
        if parts.username or parts.password:
            raise ValueError("keep credentials out of the address: use `username:` and `password: ${NAME}`")
        return url


class Redis(Section):
    """The Redis server. Left out: Spotter starts its own on this machine."""

    url: SecretStr = Field(title="Address", description="redis://[:password@]host:6379/0, or rediss:// with TLS")

    @field_validator("url")
    @classmethod
    def _redis_url(cls, url: SecretStr) -> SecretStr:
        # Nothing of the address is in the message: it may hold a password.
        mend = "give the server as redis://host:port/0, rediss://host:port/0 or unix:///path"
        parts = _split(url.get_secret_value(), mend)
        if not (parts.scheme in ("redis", "rediss") and parts.hostname) and not (parts.scheme == "unix" and parts.path):
            raise ValueError(mend)
        return url


class Database(Section):
    """Where facts are kept."""

    url: SecretStr = Field(
        title="Address",
        description="sqlite:///path (relative to this file) or postgresql+psycopg://user:password@host/name",
    )

    @field_validator("url")
    @classmethod
    def _database_url(cls, url: SecretStr) -> SecretStr:
        # Nothing of the address is in the message: it may hold a password.
        if not _DATABASE_URL.fullmatch(url.get_secret_value()):
            raise ValueError("give the database as sqlite:///path or postgresql+psycopg://user:password@host/name")
        return url


class Privacy(Section):
    """What is kept and shown of people."""

    stills: Literal[False] = Field(
        False, title="Stills", description="whether single pictures are stored; this version stores none"
    )
    blur_people: bool = Field(True, title="Blur people", description="blur people in previews, on the camera box")
    keep_days: int = Field(30, ge=1, le=3650, title="Keep days", description="refused messages are kept for so long")


class Outbox(Section):
    """The pipeline's store of scenes that the database does not have yet."""

    hours: float = Field(24, gt=0, le=24 * 365, title="Hours", description="older scenes are dropped, and counted")
    mebibytes: int = Field(1024, ge=1, title="Size", description="the oldest scenes beyond it are dropped, and counted")


class DeepStreamSettings(Section):
    """What only `engine: deepstream` reads."""

    max_cameras: int = Field(
        8, ge=1, le=128, title="Most cameras", description="the detector's batch: more can't be added while running"
    )
    precision: Literal["fp16", "fp32", "int8"] = Field(
        "fp16", title="Precision", description="of the TensorRT engine; int8 needs a model with Q/DQ nodes"
    )
    width: int = Field(
        1920, ge=64, le=7680, multiple_of=2, title="Width", description="pixels all cameras are scaled to"
    )
    height: int = Field(1080, ge=64, le=4320, multiple_of=2, title="Height", description="as above")
    gpu: int = Field(0, ge=0, le=63, title="GPU", description="which one, on a machine with several")
    engines: Path | None = Field(
        None, title="Engine folder", description="where engines are kept, writable; in the data folder unless given"
    )
    tracker_config: Path | None = Field(
        None, title="Tracker file", description="nvtracker's own configuration instead of the one written here"
    )
    install: Path = Field(
        Path("/opt/nvidia/deepstream/deepstream"), title="DeepStream", description="where it is installed"
    )


class DashboardSettings(Section):
    """Where the pages are served."""

    host: str = Field("127.0.0.1", title="Host", description="0.0.0.0 lets other devices of the network in")
    port: int = Field(8000, ge=0, le=65535, title="Port", description="0 takes a free one")
    url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#]+/?$",
        title="Address",
        description="where phones reach the dashboard, such as http://gym-box:8000: in QR codes, mails and "
        "notifications; unless given, QR codes lead to the address at which the page that shows them was opened",
    )


class Settings(Section):
    """All of ``gym.yaml``."""

    site: Name = Field("gym", title="Site", description="this gym's short name, part of every topic")
    timezone: str = Field("UTC", title="Time zone", description="IANA name, such as Europe/Berlin, for local hours")
    engine: Literal["opencv", "gstreamer", "deepstream"] = Field(
        "opencv",
        title="Engine",
        description="what decodes and detects: opencv and gstreamer detect on the CPU, deepstream needs an NVIDIA GPU",
    )
    model: Path | None = Field(
        None,
        title="Model",
        description="ONNX weights; left out: the choice of `spotter model use`, else the shipped gym detector",
    )
    detector: DetectorSettings = Field(DetectorSettings(), title="Detector", description="how objects are found")
    cameras: dict[Name, Camera] = Field({}, title="Cameras", description="every camera by its name")
    mqtt: Mqtt | None = Field(None, title="MQTT", description="the broker; left out: an embedded one")
    redis: Redis | None = Field(None, title="Redis", description="the Redis server; left out: an embedded one")
    database: Database | None = Field(None, title="Database", description="left out: SQLite in the data folder")
    data: Path = Field(Path("spotter-data"), title="Data folder", description="where Spotter keeps what it writes")
    rules: Rules = Field(Rules(), title="Rules", description="thresholds for sessions")
    deepstream: DeepStreamSettings = Field(
        DeepStreamSettings(), title="DeepStream", description="what only that engine reads"
    )
    privacy: Privacy = Field(Privacy(), title="Privacy", description="what is kept and shown of people")
    outbox: Outbox = Field(Outbox(), title="Outbox", description="how much the camera box keeps through an outage")
    dashboard: DashboardSettings = Field(DashboardSettings(), title="Dashboard", description="where pages are served")
    notify: Notify = Field(Notify(), title="Notify", description="who is told of alerts outside the pages")
    shards: int = Field(1, ge=1, le=256, title="Shards", description="Redis streams that the sites are spread over")

    @model_validator(mode="before")
    @classmethod
    def _one_camera(cls, values: Any) -> Any:
        """A file with nothing but a camera's own keys describes the camera `camera`."""
        if isinstance(values, dict) and "uri" in values and "cameras" not in values:
            own = {key: value for key, value in values.items() if key in Camera.model_fields}
            rest = {key: value for key, value in values.items() if key not in own}
            return {**rest, "cameras": {"camera": own}}
        return values

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("not a time zone; use an IANA name such as Europe/Berlin") from error
        return name

    @field_validator("cameras")
    @classmethod
    def _camera_names_are_topics(cls, cameras: dict[str, Camera]) -> dict[str, Camera]:
        taken = _RESERVED_CAMERAS & cameras.keys()
        if taken:
            raise ValueError(f"a camera can't be called {', '.join(sorted(taken))}: topics of the site use that name")
        return cameras

    @property
    def sqlite_path(self) -> Path:
        """Where the database is while none is named."""
        return self.data / "spotter.db"

    @property
    def database_url(self) -> str:
        """The database's address; SQLite in the data folder unless named."""
        if self.database is not None:
            return self.database.url.get_secret_value()
        return f"sqlite:///{self.sqlite_path}"
