"""Where pictures go in a data set: under their own names, unless other pictures have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

from models.labelling.records import Reading
from models.labels import PICTURE_SUFFIXES
from models.splitting import clip_of


def targets(images: Path, pictures: Sequence[Path], reading: Reading) -> dict[Path, Path]:
    """The file below `images` for each picture. Labels go by the stem, so that two pictures never share one.

    Where another picture has the name, `v2-` goes before it: the number stays last, and what a clip's pictures share
    stays the same for all of them.
    """
    taken: dict[str, Path] = {}
    for path in sorted(images.iterdir()):
        if path.suffix.lower() in PICTURE_SUFFIXES and path.stat().st_size:
            taken.setdefault(path.stem, path)
    clips: dict[str, list[Path]] = defaultdict(list)
    for path in pictures:
        clips[f"{path.parent}:{clip_of(path)}"].append(path)
    found: dict[Path, Path] = {}
    for clip in clips.values():
        own: dict[str, Path] = {}
        twice: list[Path] = []
        for path in clip:
            twice += [path] if path.stem in own else []
            own.setdefault(path.stem, path)
        for group in (list(own.values()), *([path] for path in twice)):
            _place(group, images, taken, found, reading)
    return {path: found[path] for path in pictures}


def same_file(a: Path, b: Path) -> bool:
    """Whether both exist with the same content."""
    if not (a.is_file() and b.is_file()):
        return False
    return a.samefile(b) or (a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes())


def _place(
    group: Iterable[Path], images: Path, taken: dict[str, Path], found: dict[Path, Path], reading: Reading
) -> None:
    clashing = []
    for path in group:
        if _free(path, path.stem, taken):
            _keep(path, "", images, taken, found, reading)
        else:
            clashing.append(path)
    if clashing:
        tag = next(f"v{n}-" for n in count(2) if all(_free(path, f"v{n}-{path.stem}", taken) for path in clashing))
        for path in clashing:
            reading.report("note", path.name, f"another picture has this name; kept as {tag}{path.name}")
            _keep(path, tag, images, taken, found, reading)


def _free(path: Path, stem: str, taken: Mapping[str, Path]) -> bool:
    return stem not in taken or same_file(path, taken[stem])


def _keep(
    path: Path, tag: str, images: Path, taken: dict[str, Path], found: dict[Path, Path], reading: Reading
) -> None:
    stem = tag + path.stem
    if stem in taken:
        reading.report("note", path.name, "is in the data set already; its labels are replaced")
    else:
        taken[stem] = path
    found[path] = images / f"{stem}{taken[stem].suffix}"
