"""Finds the pictures that labels speak of: in a folder, by name or by number, or as frames of a video."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from models.labelling.records import Labelled, Reading
from models.labelling.turning import same_shape, turn_boxes
from models.labels import PICTURE_SUFFIXES, DataError
from models.pixels import Pixels, as_pixels
from models.video import Video

_UPLOAD = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts this before the name of what is uploaded


@dataclass(frozen=True, slots=True)
class Found:
    """A labelled picture and where it is: a file, or a frame of a video."""

    item: Labelled
    name: str
    """File name to keep it under."""
    path: Path | None
    frame: int | None
    width: int
    height: int


class PictureFolder:
    """Pictures below a folder. A number means the place in their sorted list, as labelling tools count them."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"pictures {folder}: no such folder")
        self._folder = folder
        self.paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
        self._by_stem: dict[str, list[Path]] = {}
        for path in self.paths:
            self._by_stem.setdefault(path.stem.lower(), []).append(path)

    def find(self, picture: str | int) -> Path | None:
        """The file; of several with one name, the one whose folders fit the label's best."""
        if isinstance(picture, int):
            return self.paths[picture] if picture < len(self.paths) else None
        wanted = PurePosixPath(picture.replace("\\", "/"))
        # A label of YOLO's has no ending, and a name without one may hold a dot.
        stems = [wanted.name.lower()]
        if wanted.suffix.lower() in PICTURE_SUFFIXES:
            stems.append(wanted.stem.lower())
        stems += [_UPLOAD.sub("", stem) for stem in stems]
        for stem in stems:
            candidates = self._by_stem.get(stem, [])
            if candidates:
                parts = [part for part in wanted.parts[:-1] if part != "labels"]
                return max(candidates, key=lambda p: len(set(parts) & set(p.relative_to(self._folder).parts)))
        return None


def locate(reading: Reading, pictures: Path, every: float | None = None) -> list[Found]:
    """The pictures of `reading` below the folder `pictures`, or the frames of the video `pictures`.

    What is missing or unreadable is reported to `reading`. `every` seconds, of a video, keeps one labelled frame for
    each such stretch: neighbours show the same.
    """
    if pictures.is_file() and pictures.suffix.lower() not in PICTURE_SUFFIXES:
        return _frames_of(reading, pictures, every)
    return _files_of(reading, PictureFolder(pictures))


def _files_of(reading: Reading, folder: PictureFolder) -> list[Found]:
    found: list[Found] = []
    used: set[Path] = set()
    for item in reading.items:
        path = folder.find(item.picture) or (folder.find(item.other) if item.other else None)
        if path is None:
            kind = "picture" if isinstance(item.picture, str) else "picture number"
            reading.report(
                "missing picture", str(item.picture), f"no such {kind}; its {len(item.boxes)} boxes are lost"
            )
            continue
        if path in used:
            reading.report("duplicate", str(item.picture), "labelled twice; the boxes of both are kept")
            first = next(f for f in found if f.path == path)
            first.item.boxes.extend(item.boxes)
            continue
        used.add(path)
        data = np.fromfile(path, np.uint8)
        image = _decoded(data)
        if image is None:
            reading.report("missing picture", str(path), "not a readable picture")
            continue
        height, width = image.shape[:2]
        if item.size is not None and item.size != (width, height):
            _fit(item, path, data, image, reading)
        found.append(Found(item, path.name, path, None, width, height))
    left = len(folder.paths) - len(used)
    if left:
        reading.report("unlabelled picture", "", f"{left} pictures have no labels and are not taken")
    return found


def _fit(item: Labelled, path: Path, data: NDArray[np.uint8], image: Pixels, reading: Reading) -> None:
    """Report that a picture was labelled at another size; where it was lying on its side, turn the boxes."""
    height, width = image.shape[:2]
    stated = item.size or (width, height)
    sizes = f"is {width}x{height}, but was labelled at {stated[0]}x{stated[1]}"
    if same_shape(stated, (width, height)):
        reading.report("note", path.name, f"{sizes}; boxes in pixels are scaled")
    elif same_shape(stated, (height, width)) and turn_boxes(item, data, image):
        reading.report("note", path.name, f"{sizes}, lying on its side; boxes are turned as the photo is")
    else:
        reading.report("bad box", path.name, f"{sizes}, another shape: its boxes may not fit; give what was labelled")


def _frames_of(reading: Reading, path: Path, every: float | None) -> list[Found]:
    video = Video(path)
    found: list[Found] = []
    step = max(1, round(every * video.fps)) if every else 1
    taken = -step
    items = _of_this_video(reading, path)
    merged = 0
    for item in sorted(items, key=_number):
        number = _number(item)
        if number < 0 or number >= video.frames:
            reading.report(
                "missing picture", str(item.picture), f"no such frame in {path.name} ({video.frames} frames)"
            )
            continue
        if found and number == taken:
            reading.report("duplicate", str(item.picture), "labelled twice; the boxes of both are kept")
            found[-1].item.boxes.extend(item.boxes)
            merged += 1
            continue
        if number - taken < step:
            continue
        taken = number
        found.append(Found(item, f"{path.stem}-{number:06d}.jpg", None, number, video.width, video.height))
    left = sum(_number(item) >= 0 for item in items) - len(found) - merged
    if every and left:
        reading.report("note", path.name, f"of {len(found) + left} labelled frames one every {every:g} s is taken")
    return found


def _of_this_video(reading: Reading, path: Path) -> list[Labelled]:
    """The items that were drawn on the video `path`, where the source speaks of several; others are reported.

    Where it speaks of one, that is taken whatever it is called: a video may have been renamed or converted. Raises
    DataError where several have this name.
    """
    own = _clip_name(path.stem)
    clips = {_clip(item) for item in reading.items}
    same = sorted({item.video for item in reading.items if item.video is not None and _clip(item) == own})
    if len(same) > 1:
        raise DataError(
            f"{path.name}: the labels speak of {len(same)} such videos ({', '.join(same)}); export one alone"
        )
    made_up = all(item.video is None for item in reading.items) and own not in clips
    if len(clips) < 2 or made_up:
        return reading.items
    for clip in sorted(clips - {own}):
        others = [item for item in reading.items if _clip(item) == clip]
        place = str(others[0].video or others[0].picture)
        reading.report("left out", place, f"{len(others)} labelled frames are of another video than {path.name}")
    return [item for item in reading.items if _clip(item) == own]


def _clip(item: Labelled) -> str:
    """What a video's item calls its video, or the name without the number at its end."""
    if item.video is not None:
        return _clip_name(PurePosixPath(item.video.replace("\\", "/")).stem)
    if isinstance(item.picture, int):
        return ""
    name = PurePosixPath(item.picture.replace("\\", "/"))
    stem = name.stem if name.suffix.lower() in PICTURE_SUFFIXES else name.name
    return _clip_name(re.sub(r"[-_ .]*(frame)?[-_ .]*\d+$", "", stem, flags=re.IGNORECASE))


def _clip_name(stem: str) -> str:
    return _UPLOAD.sub("", stem.lower())


def read_frames(path: Path, wanted: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
    """Frames of a video by number, in order."""
    numbers = set(wanted)
    for frame in Video(path).frames_at(lambda n: n in numbers, stop=max(numbers, default=-1)):
        yield frame.number, frame.image


def _number(item: Labelled) -> int:
    """A frame's number; of a name, the digits at its end, for tools that label frames under made-up names."""
    if isinstance(item.picture, int):
        return item.picture
    digits = re.search(r"(\d+)$", PurePosixPath(item.picture).stem)
    return int(digits[1]) if digits else -1


def _decoded(data: NDArray[np.uint8]) -> Pixels | None:
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    return None if image is None else as_pixels(image)
