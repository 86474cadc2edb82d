"""Pictures to label and their boxes: folders in YOLO's form below the data folder, as `spotter model` reads them.

A set is `<data>/labelling/NAME` with `images/`, `labels/` (a picture that has a file there was looked at, even an empty
one), `proposals/` (what `spotter model suggest` wrote), `labelled.txt` and `data.yaml`.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import yaml

from dashboard.naming import FORMATS, MOST_PIXELS, NotAPictureError
from spotter.class_names import class_names
from spotter.errors import SpotterError

State = Literal["new", "proposed", "done"]
STATES: tuple[State, ...] = ("new", "proposed", "done")

Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2 as shares of the picture's sides."""

SET_NAME = re.compile(r"[a-z0-9][a-z0-9\-]{0,39}")  # as browsers read patterns, too
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
SMALL_SIDE = 240
JPEG_QUALITY = 95


class SetError(SpotterError):
    """A set's files are not as `spotter model` writes them."""


class ConflictError(SpotterError):
    """Somebody else saved the same picture meanwhile."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box on a picture."""

    label: str
    corners: Corners


@dataclass(frozen=True, slots=True)
class Drawn:
    """The boxes of a picture, whether a person accepted them, and the version that the next save must name."""

    state: State
    boxes: tuple[Box, ...]
    version: str


class LabelSet:
    """One set. Picture names are file names below `images/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of their numbers. Raises SetError."""
        try:
            return class_names(yaml.safe_load((self.folder / "data.yaml").read_text(encoding="utf-8"))["names"])
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
            raise SetError(f"{self.folder / 'data.yaml'} does not name the classes; see docs/model.md") from None

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """The pictures' names, sorted."""
        images = self.folder / "images"
        return (
            tuple(sorted(p.name for p in images.iterdir() if p.suffix.lower() in SUFFIXES)) if images.is_dir() else ()
        )

    def path(self, picture: str) -> Path | None:
        """Where a picture lies; None where the set has none of that name."""
        return self.folder / "images" / picture if picture in self.pictures else None

    def state(self, picture: str) -> State:
        """How far a picture is."""
        if self._rows("labels", picture).is_file():
            return "done"
        return "proposed" if self._rows("proposals", picture).is_file() else "new"

    def counts(self) -> Counter[State]:
        """How many pictures are how far."""
        return Counter(self.state(picture) for picture in self.pictures)

    def boxes_by_label(self) -> Counter[str]:
        """How many accepted boxes of each label there are."""
        return Counter(
            box.label
            for picture in self.pictures
            if self._rows("labels", picture).is_file()
            for box in self.read(picture).boxes
        )

    def neighbours(self, picture: str) -> tuple[str | None, str | None, str | None]:
        """The picture before, the one after, and the next one that is not done, going round."""
        at = self.pictures.index(picture)
        behind, ahead = self.pictures[:at], self.pictures[at + 1 :]
        waiting = next((one for one in (*ahead, *behind) if self.state(one) != "done"), None)
        return behind[-1] if behind else None, ahead[0] if ahead else None, waiting

    def read(self, picture: str) -> Drawn:
        """What is drawn on a picture, or else proposed. Raises SetError with the line of a mistake."""
        state = self.state(picture)
        if state == "new":
            return Drawn(state, (), _version(None))
        if state == "proposed":
            kept = tuple(box for box in self._proposed(picture) if box.label in self.labels)
            return Drawn(state, kept, _version(None))
        text = self._rows("labels", picture).read_text(encoding="utf-8")
        return Drawn(state, tuple(_parse(text, self.labels, self._rows("labels", picture))), _version(text))

    def left_out(self) -> Counter[str]:
        """How many proposed boxes of which labels are not shown, for the set has no such class. Raises SetError."""
        waiting = (picture for picture in self.pictures if self.state(picture) == "proposed")
        found = Counter(box.label for picture in waiting for box in self._proposed(picture))
        return Counter({label: count for label, count in found.items() if label not in self.labels})

    def save(self, picture: str, boxes: Sequence[Box], version: str) -> str:
        """Accept `boxes` for a picture, and give the new version. Raises ConflictError for an old `version`."""
        rows = "".join(_row(self.labels.index(box.label), box.corners) for box in boxes)
        with self._locked():
            if self.read(picture).version != version:
                raise ConflictError(f"{self.name}/{picture} was saved meanwhile")
            _write(self._rows("labels", picture), rows)
            self._list_labelled()
        return _version(rows)

    def add(self, photo: bytes, called: str) -> str | None:
        """Keep a photo, turned upright and without its metadata; None where the same is there. Raises NotAPictureError.

        Where a phone was is no business of a training set.
        """
        from PIL import Image, ImageOps, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(photo), formats=FORMATS) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise NotAPictureError(f"a picture of {opened.width}x{opened.height} pixels is too large")
                upright = ImageOps.exif_transpose(opened).convert("RGB")
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise NotAPictureError("not a picture that can be read") from error
        stem = re.sub(r"[^a-z0-9]+", "-", Path(called).stem.lower()).strip("-")[:40] or "photo"
        name = f"{stem}-{hashlib.sha256(photo).hexdigest()[:8]}.jpg"
        path = self.folder / "images" / name
        if path.exists():
            return None
        kept = io.BytesIO()
        upright.save(kept, "JPEG", quality=JPEG_QUALITY)
        _write(path, kept.getvalue())
        self.__dict__.pop("pictures", None)
        return name

    def remove(self, picture: str) -> None:
        """Delete a picture with its boxes."""
        with self._locked():
            for path in (self.folder / "images" / picture, *(self._rows(k, picture) for k in ("labels", "proposals"))):
                path.unlink(missing_ok=True)
            self.__dict__.pop("pictures", None)
            self._list_labelled()

    def small(self, picture: str) -> bytes:
        """A JPEG of at most SMALL_SIDE pixels. Raises NotAPictureError."""
        from PIL import Image

        try:
            with Image.open(self.folder / "images" / picture) as opened:
                opened.draft("RGB", (SMALL_SIDE, SMALL_SIDE))
                drawn = opened.convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise NotAPictureError(f"{picture} can't be read") from error
        drawn.thumbnail((SMALL_SIDE, SMALL_SIDE))
        small = io.BytesIO()
        drawn.save(small, "JPEG", quality=80)
        return small.getvalue()

    def size(self, picture: str) -> tuple[int, int]:
        """Width and height in pixels. Raises NotAPictureError."""
        from PIL import Image

        try:
            with Image.open(self.folder / "images" / picture) as opened:
                return int(opened.width), int(opened.height)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise NotAPictureError(f"{picture} can't be read") from error

    def zipped(self) -> bytes:
        """`data.yaml`, `labelled.txt` and the label files, without any picture."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in (self.folder / "data.yaml", self.folder / "labelled.txt"):
                if path.is_file():
                    archive.write(path, f"{self.name}/{path.name}")
            for path in sorted((self.folder / "labels").glob("*.txt")):
                archive.write(path, f"{self.name}/labels/{path.name}")
        return packed.getvalue()

    def _rows(self, kind: str, picture: str) -> Path:
        return self.folder / kind / f"{Path(picture).stem}.txt"

    def _proposed(self, picture: str) -> Iterator[Box]:
        rows = self._rows("proposals", picture)
        return _parse(rows.read_text(encoding="utf-8"), self._proposed_labels, rows)

    @cached_property
    def _proposed_labels(self) -> tuple[str, ...]:
        listed = self.folder / "proposals" / "classes.txt"
        if not listed.is_file():
            return self.labels
        return tuple(line.strip() for line in listed.read_text(encoding="utf-8").splitlines())

    def _list_labelled(self) -> None:
        """What nobody looked at yet must not train as a picture without items."""
        done = [picture for picture in self.pictures if self.state(picture) == "done"]
        _write(self.folder / "labelled.txt", "".join(f"images/{picture}\n" for picture in done))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def all_sets(root: Path) -> list[LabelSet]:
    """Every set below `root`, by name."""
    if not root.is_dir():
        return []
    found = (path for path in root.iterdir() if path.is_dir() and SET_NAME.fullmatch(path.name))
    return [LabelSet(path) for path in sorted(found)]


def find(root: Path, name: str) -> LabelSet | None:
    """The set of that name."""
    return LabelSet(root / name) if SET_NAME.fullmatch(name) and (root / name).is_dir() else None


def create(root: Path, name: str, labels: Sequence[str]) -> LabelSet:
    """A new set, of the pictures that `spotter model frames` may have put there. Raises FileExistsError."""
    folder = root / name
    (folder / "images").mkdir(parents=True, exist_ok=True)
    if (folder / "data.yaml").exists():
        raise FileExistsError(folder)
    content = {"train": "labelled.txt", "val": "labelled.txt", "names": list(labels)}
    _write(folder / "data.yaml", yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120))
    made = LabelSet(folder)
    made._list_labelled()
    return made


def delete(label_set: LabelSet) -> None:
    """Delete a set with all its pictures."""
    shutil.rmtree(label_set.folder)


def _parse(text: str, labels: Sequence[str], path: Path) -> Iterator[Box]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            which, x, y, width, height = (float(word) for word in line.split())
            label = labels[int(which)] if which >= 0 else ""
        except (ValueError, IndexError):
            label = ""
        if not label:
            raise SetError(f"{path}, line {number}: {line.strip()[:60]!r} is not `class x y width height`")
        sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        x1, y1, x2, y2 = (min(max(side, 0.0), 1.0) for side in sides)
        yield Box(label, (x1, y1, x2, y2))


def _row(number: int, corners: Corners) -> str:
    x1, y1, x2, y2 = corners
    return f"{number} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n"


def _version(text: str | None) -> str:
    return "none" if text is None else hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(path: Path, content: str | bytes) -> None:
    """Written beside and moved, so that a stop amid writing leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(f".{path.name}.part")
    waiting.write_bytes(content if isinstance(content, bytes) else content.encode())
    waiting.replace(path)
