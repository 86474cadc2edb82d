"""Proposes boxes for pictures that nobody labelled yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.labelling.pictures import PictureFolder
from models.labelling.writing import Proposed
from models.labels import DataError, label_path
from models.pixels import read_pixels
from models.progress import progress_bar
from spotter.detector import Detector


def unlabelled(places: Sequence[Path], labelled_too: bool = False) -> list[Path]:
    """The pictures of folders and files that have no label file yet, or all. Raises DataError where there are none."""
    pictures: list[Path] = []
    for place in places:
        pictures += PictureFolder(place).paths if place.is_dir() else [place]
    wanted = [p for p in pictures if labelled_too or not _has_labels(p)]
    if not wanted:
        cause = "all are labelled already; give --all for those too" if pictures else "no pictures there"
        raise DataError(f"pictures {', '.join(str(p) for p in places)}: {cause}")
    stems: dict[str, Path] = {}
    for path in wanted:
        if stems.setdefault(path.stem, path) != path:
            raise DataError(f"pictures {stems[path.stem]} and {path}: proposals go by name, and both have the same")
    return wanted


def propose(detector: Detector, pictures: Sequence[Path]) -> list[Proposed]:
    """What the detector finds in each picture, from its own least score up."""
    proposals = []
    with progress_bar("suggest", len(pictures)) as advance:
        for path in pictures:
            image = read_pixels(path)
            found = detector.detect([image])[0]
            assert found.confidence is not None
            boxes = tuple(
                (str(label), float(score), (float(x1), float(y1), float(x2), float(y2)))
                for label, score, (x1, y1, x2, y2) in zip(
                    found.data["class_name"], found.confidence, found.xyxy, strict=True
                )
            )
            proposals.append(Proposed(path, image.shape[1], image.shape[0], boxes))
            advance()
    return proposals


def _has_labels(picture: Path) -> bool:
    return label_path(picture).is_file() or picture.with_suffix(".txt").is_file()
