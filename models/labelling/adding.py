"""Where an import puts pictures in a data set that may exist already, and what its `data.yaml` says then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from models.labels import DataError, Layout, pictures_at, read_layout

LOOKED_AT = "labelled.txt"
"""The list of the dashboard's labels page: pictures that somebody looked at."""


@dataclass(frozen=True, slots=True)
class Room:
    """A data set's room for more pictures."""

    images: Path
    """The folder for pictures."""
    keys: dict[str, object]
    """What `data.yaml` holds beside the names."""
    listed: Path | None = None
    """The list that must name the pictures, too."""
    outdated: tuple[Path, ...] = ()
    """Lists that an earlier split made, out of date with the next picture."""

    def settle(self, pictures: Iterable[Path]) -> None:
        """List the new pictures where they must be, and remove what is out of date."""
        if self.listed is not None:
            known = dict.fromkeys(self.listed.read_text(encoding="utf-8").splitlines())
            known.update(dict.fromkeys(p.relative_to(self.listed.parent).as_posix() for p in pictures))
            self.listed.write_text("".join(f"{line}\n" for line in known), encoding="utf-8")
        for path in self.outdated:
            path.unlink(missing_ok=True)


def room_in(out: Path) -> Room:
    """The room in the folder `out`. Raises DataError where a data set there can't be added to."""
    path = out / "data.yaml"
    if not path.is_file():
        return Room(out / "images", {"train": "images"})
    layout = read_layout(path)
    keys = other_keys(path)
    lists = tuple(out / name for name in ("train.txt", "val.txt"))
    if (out / LOOKED_AT).is_file():
        whole = {
            split: LOOKED_AT for split, own in zip(("train", "val"), lists, strict=True) if _is(layout, split, own)
        }
        return Room(out / "images", {**keys, **whole}, out / LOOKED_AT, lists if whole else ())
    train = layout.places["train"]
    if len(train) == 1 and _is(layout, "train", lists[0]) and _all_below(out / "images", train[0]):
        # One split until `spotter model split` makes two.
        kept = {k: v for k, v in keys.items() if k != "val" or not _is(layout, "val", lists[1])}
        return Room(out / "images", {**kept, "train": "images"}, outdated=lists)
    if len(train) != 1 or train[0].suffix == ".txt" or not train[0].resolve().is_relative_to(out.resolve()):
        raise DataError(f"data set {path}: its `train` is not one folder below it; import into another --out")
    return Room(train[0], keys)


def other_keys(path: Path) -> dict[str, object]:
    """What a `data.yaml` that was read already holds beside the names."""
    return {k: v for k, v in yaml.safe_load(path.read_text(encoding="utf-8")).items() if k != "names"}


def _is(layout: Layout, split: str, place: Path) -> bool:
    return [p.resolve() for p in layout.places[split]] == [place.resolve()]


def _all_below(images: Path, listed: Path) -> bool:
    return all(picture.resolve().is_relative_to(images.resolve()) for picture in pictures_at(listed))
