"""DarkLabel: one file with all frames (csv or txt), and the class lists and formats of its `darklabel.yml`.

Its words for a row's cells are those of `darklabel.yml` ("User-defined GT Formats"): `fn` is a frame's number counted
from 0, `iname` a picture's file name, `cname` and `classid` the class, `id` the object, `x1 y1 x2 y2 cx cy w h` the
box in pixels, and the same with `n` before it relative to the picture. Older versions write one line a frame, with
`n` boxes in a repeated group; in a list of fields the group stands in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.labelling.records import Box, Corners, Labelled, Reading
from models.labels import DataError

DEFAULT_FIELDS = (
    ("fn", "cname", "id", "x1", "y1", "w", "h"),
    ("iname", "cname", "id", "x1", "y1", "w", "h"),
)
"""The formats for merged files that DarkLabel comes with."""

_PIXELS = frozenset({"x1", "y1", "x2", "y2", "cx", "cy", "w", "h"})
_RELATIVE = frozenset(f"n{name}" for name in _PIXELS)
_KNOWN = frozenset({"fn", "iname", "cname", "classid", "id", "difficult", "n"}) | _PIXELS | _RELATIVE
_CONSTANT = re.compile(r"c=.*")

Fields = tuple[Any, ...]
"""Names of cells; a tuple among them is the group that repeats."""


@dataclass(frozen=True, slots=True)
class DarkLabelFile:
    """What a `darklabel.yml` says: class lists by name, the list in use, and formats of merged files."""

    path: Path
    sets: Mapping[str, tuple[str, ...]]
    default_set: str | None
    formats: tuple[tuple[Fields, str | None, bool], ...]
    """Cells, the class list that the format names, and whether all frames share a file."""

    def classes(self, name: str | None = None, *, merged: bool = False) -> tuple[str, ...]:
        """The list called `name`; left out: that of the darknet-yolo format, or of merged files, or the default."""
        wanted = name or self._own_set(merged) or self.default_set
        if wanted is None or wanted not in self.sets:
            has = ", ".join(self.sets) or "none"
            raise DataError(f"{self.path}: no class list {wanted!r} (it has {has}); name one with --classes-set")
        return self.sets[wanted]

    def _own_set(self, merged: bool) -> str | None:
        for fields, own, one_file in self.formats:
            if one_file == merged and "classid" in fields and own in self.sets:
                return own
        return None


def is_darklabel(path: Path) -> bool:
    """Whether a file is named as DarkLabel's settings are."""
    return path.name.lower() in ("darklabel.yml", "darklabel.yaml")


def read_settings(path: Path) -> DarkLabelFile:
    """Read a `darklabel.yml`. Raises DataError where it is unreadable."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        # OpenCV's reader wants "%YAML:1.0", which no other reader accepts.
        content = yaml.safe_load(re.sub(r"\A%YAML.*\n(---\s*\n)?", "", text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: not readable as darklabel.yml ({str(error).splitlines()[0]})") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: not a darklabel.yml: it holds no settings")
    formats = []
    for key in sorted((k for k in content if re.fullmatch(r"format\d+", str(k))), key=lambda k: int(k[6:])):
        values = content[key]
        if isinstance(values, dict) and isinstance(values.get("data_fmt"), list):
            merged = bool(values.get("gt_merged", content.get("gt_merged", 0)))
            own = values.get("classes_set")
            formats.append((_as_fields(values["data_fmt"]), None if own is None else str(own), merged))
    lists = {
        str(k): tuple(str(n) for n in v)
        for k, v in content.items()
        if isinstance(v, list) and v and all(isinstance(n, str) for n in v)
    }
    default = content.get("classes_set")
    return DarkLabelFile(path, lists, None if default is None else str(default), tuple(formats))


def parse_fields(text: str) -> Fields:
    """Fields of the command line: `fn,cname,id,x1,y1,w,h`, or `fn,n,[id,x1,y1,x2,y2,cname]`."""
    try:
        return _as_fields(yaml.safe_load(f"[{text}]"))
    except yaml.YAMLError:
        raise DataError(f"--fields {text}: not a list of DarkLabel's field names") from None


def read_merged(
    path: Path, *, fields: Fields | None = None, settings: DarkLabelFile | None = None, classes: Sequence[str] = ()
) -> Reading:
    """Read a merged file. `fields` left out: the first format that fits every row.

    Raises DataError where none fits, or where class numbers have no list.
    """
    rows = _rows(path)
    own = [f for f, _, merged in settings.formats if merged] if settings else []
    candidates = [fields] if fields else [*own, *DEFAULT_FIELDS]
    chosen = next((f for f in candidates if rows and all(_fits(cells, f) for _, cells in rows)), None)
    if chosen is None and fields is None:
        # Rows with mistakes must not hide the format: take the one that fits most.
        scored = [(sum(_fits(cells, f) for _, cells in rows), f) for f in candidates]
        best = max(scored, key=lambda s: s[0], default=(0, None))
        chosen = best[1] if best[0] * 2 > len(rows) else None
    chosen = chosen or fields
    if chosen is None:
        raise DataError(f"{path}: its rows fit no format of DarkLabel known here; name their cells with --fields")
    reading = Reading("darklabel", classes=tuple(classes))
    if _mentions(chosen, "classid") and not classes:
        raise DataError(f"{path}: classes are numbers; give their names with --classes darklabel.yml")
    items: dict[str | int, Labelled] = {}
    for number, cells in rows:
        place = f"{path.name}, line {number}"
        if not _fits(cells, chosen):
            reading.report("bad row", place, f"{','.join(cells)[:60]!r} is not {_spell(chosen)}")
            continue
        for values in _expand(cells, chosen):
            picture: str | int = int(values["fn"]) if "fn" in values else values["iname"]
            item = items.setdefault(picture, Labelled(picture))
            if "cname" in values or "classid" in values:
                item.boxes.append(_box(values, classes, place))
    reading.items = list(items.values())
    return reading


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable ({error})") from None
    rows = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        delimiter = next((d for d in (",", ";", "\t") if d in text), None)
        rows.append((number, [cell.strip().strip('"') for cell in text.split(delimiter)]))
    return rows


def _as_fields(values: Sequence[Any]) -> Fields:
    fields = tuple(_as_fields(v) if isinstance(v, list) else str(v).strip() for v in values)
    for name in fields:
        if isinstance(name, str) and name not in _KNOWN and not _CONSTANT.fullmatch(name):
            raise DataError(f"DarkLabel field {name!r}: not one of {', '.join(sorted(_KNOWN))}")
    return fields


def _fits(cells: Sequence[str], fields: Fields) -> bool:
    try:
        expanded = _expand(cells, fields)
    except ValueError:
        return False
    for values in expanded:
        for name, cell in values.items():
            if name in _PIXELS | _RELATIVE or name in ("fn", "classid", "id", "n", "difficult"):
                try:
                    value = float(cell)
                except ValueError:
                    return False
                if name in ("fn", "classid") and (value < 0 or value % 1):
                    return False
            elif name == "cname" and re.fullmatch(r"-?\d+(\.\d+)?", cell):
                return False
    return True


def _expand(cells: Sequence[str], fields: Fields) -> list[dict[str, str]]:
    """One mapping of field to cell for each box. Raises ValueError where their numbers differ."""
    group = next((f for f in fields if isinstance(f, tuple)), None)
    plain = [f for f in fields if isinstance(f, str)]
    if group is None:
        if len(cells) != len(plain):
            raise ValueError("another number of cells")
        return [dict(zip(plain, cells, strict=True))]
    head = dict(zip(plain, cells, strict=False))
    rest = cells[len(plain) :]
    count = int(head.get("n", "0"))
    if len(cells) < len(plain) or len(rest) != count * len(group):
        raise ValueError("another number of cells")
    if not count:
        return [head]  # a frame that was looked at and holds nothing
    return [head | dict(zip(group, rest[i * len(group) :], strict=False)) for i in range(count)]


def _box(values: Mapping[str, str], classes: Sequence[str], place: str) -> Box:
    name = values.get("cname")
    if name is None:
        number = int(float(values["classid"]))
        name = classes[number] if number < len(classes) else f"class{number}"
    relative = any(key in _RELATIVE for key in values)
    numbers = {k.removeprefix("n"): float(v) for k, v in values.items() if k in _PIXELS | _RELATIVE}
    return Box(name, _corners(numbers), relative, place)


def _corners(v: Mapping[str, float]) -> Corners:
    """x1, y1, x2, y2 of whichever numbers are there."""
    ends = []
    for low, high, centre, side in (("x1", "x2", "cx", "w"), ("y1", "y2", "cy", "h")):
        if low in v:
            ends.append((v[low], v[high] if high in v else v[low] + v.get(side, 0.0)))
        else:
            half = v.get(side, 0.0) / 2
            ends.append((v.get(centre, 0.0) - half, v.get(centre, 0.0) + half))
    (x1, x2), (y1, y2) = ends
    return x1, y1, x2, y2


def _mentions(fields: Fields, name: str) -> bool:
    return any(f == name or (isinstance(f, tuple) and name in f) for f in fields)


def _spell(fields: Fields) -> str:
    return ",".join(f"[{_spell(f)}]" if isinstance(f, tuple) else f for f in fields)
