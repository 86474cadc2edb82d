"""DarkLabel: one file with all frames (csv or txt), or rows with names or pixels for each picture.

Its words for a row's cells are those of `darklabel.yml` ("User-defined GT Formats"): `fn` is a frame's number counted
from 0, `iname` a picture's file name, `cname` and `classid` the class, `id` the object, `x1 y1 x2 y2 cx cy w h` the
box in pixels, and the same with `n` before it relative to the picture. Older versions write one line a frame, with
`n` boxes in a repeated group; in a list of fields the group stands in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.labelling.darklabel_settings import (
    CONSTANT,
    PIXELS,
    RELATIVE,
    DarkLabelFile,
    Fields,
    Format,
    mentions,
    spell,
)
from models.labelling.records import Box, Corners, Labelled, Reading
from models.labels import DataError

DEFAULT_FORMATS = (
    Format(("fn", "cname", "id", "x1", "y1", "w", "h"), None, merged=True),
    Format(("iname", "cname", "id", "x1", "y1", "w", "h"), None, merged=True),
)
"""The formats for merged files that DarkLabel comes with."""

Row = tuple[Path, int, list[str]]
"""A line: its file, number and cells."""


def read_darklabel(
    source: Path,
    files: Sequence[Path],
    *,
    fields: Fields | None = None,
    settings: DarkLabelFile | None = None,
    classes: Sequence[str] | None = None,
    classes_set: str | None = None,
    one_picture: bool = False,
) -> Reading:
    """Read merged files or, for `one_picture`, a file for each picture. `fields` left out: the format that fits.

    Class numbers are looked up in `classes` or, left out, in the list of `settings` that goes with the format. Raises
    DataError where no format fits, where several do and differ, or where rows say no class.
    """
    rows = [row for path in files for row in _rows(path)]
    known = settings.formats if settings else ()
    own = [f for f in known if f.merged != one_picture]
    pools = [own, [] if one_picture else DEFAULT_FORMATS, [f for f in known if f not in own]]
    formats = [Format(fields, None, not one_picture)] if fields else _fitting(source, rows, pools)
    cells = formats[0].fields
    if not mentions(cells, "cname", "classid"):
        raise DataError(
            f"{source}: its rows, read as {spell(cells)}, say no class, and every box would be lost; name the cell of "
            "the class (cname or classid) with --fields, or save in a format that has one"
        )
    reading = Reading("darklabel", classes=tuple(classes or ()))
    if len(files) > 1 and mentions(cells, "fn"):
        raise DataError(f"{source}: holds {len(files)} files with frame numbers; give the one of the video")
    reading.report("note", files[0].name if len(files) == 1 else source.name, f"cells are read as {spell(cells)}")
    if mentions(cells, "classid") and not classes:
        if settings is None:
            raise DataError(f"{source}: classes are numbers; give their names with --classes darklabel.yml")
        listed = settings.class_list(classes_set, [f for f in known if f.fields == cells])
        reading.classes = say_list(reading, settings.path, *listed)
    elif settings and not classes:
        reading.classes = settings.sets.get(classes_set or settings.default_set or "", ())
    # A picture whose file is empty was looked at.
    names = {path: str(path.relative_to(source).with_suffix("")) for path in files} if one_picture else {}
    reading.items = _items(rows, cells, reading, names)
    return reading


def say_list(reading: Reading, path: Path, name: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Note which class list is used, and give its classes."""
    shown = ", ".join(f"{number} {one}" for number, one in enumerate(classes[:8]))
    reading.report("note", path.name, f"class list {name}: {shown}{', …' if len(classes) > 8 else ''}")
    return classes


def has_cells(path: Path) -> bool:
    """Whether a text file's first row has commas or semicolons between its cells, as no row of YOLO's has."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in file if line.strip() and not line.startswith("#")), "")
    return "," in first or ";" in first


def _items(rows: Sequence[Row], fields: Fields, reading: Reading, names: Mapping[Path, str]) -> list[Labelled]:
    """Boxes by picture; `names` are the pictures of files that hold one each."""
    items: dict[str | int, Labelled] = {name: Labelled(name) for name in names.values()}
    for path, number, cells in rows:
        place = f"{path.name}, line {number}"
        if not _fits(cells, fields):
            reading.report("bad row", place, f"{','.join(cells)[:60]!r} is not {spell(fields)}")
            continue
        for values in _expand(cells, fields):
            picture: str | int = (
                int(float(values["fn"])) if "fn" in values else values.get("iname", names.get(path, path.stem))
            )
            item = items.setdefault(picture, Labelled(picture))
            if "classid" in values and int(float(values["classid"])) >= len(reading.classes):
                reading.report("bad row", place, beyond(int(float(values["classid"])), reading.classes))
            elif "cname" in values or "classid" in values:
                item.boxes.append(_box(values, reading.classes, place))
    return list(items.values())


def beyond(number: int, classes: Sequence[str]) -> str:
    """What is said of a class number that the list lacks."""
    return f"class {number} is beyond the list of {len(classes)} names; its box is lost"


def _fitting(source: Path, rows: Sequence[Row], pools: Sequence[Sequence[Format]]) -> list[Format]:
    """The formats that fit most rows, of the first pool that has such; all of them mean the same.

    Rows with mistakes must not hide the format, so that more than half is enough. Raises DataError where none fits, and
    where two do and give other boxes.
    """
    scored = [[(sum(_fits(cells, f.fields) for _, _, cells in rows), f) for f in pool] for pool in pools]
    most = max((score for pool in scored for score, _ in pool), default=0)
    if most * 2 <= len(rows):
        raise DataError(f"{source}: its rows fit no format of DarkLabel known here; name their cells with --fields")
    best = next([f for score, f in pool if score == most] for pool in scored if any(s == most for s, _ in pool))
    plausible = [f for f in best if _plausible(rows, f.fields)] or best
    meanings: dict[object, list[Format]] = {}
    for one in plausible:
        meanings.setdefault(_meaning(rows, one.fields), []).append(one)
    if len(meanings) > 1:
        spelled = " or ".join(spell(formats[0].fields) for formats in meanings.values())
        raise DataError(f"{source}: its rows can be read as {spelled}; say which with --fields")
    return next(iter(meanings.values()))


def _plausible(rows: Sequence[Row], fields: Fields) -> bool:
    """Whether all boxes end after they begin, all constants have their value, and no picture's name is a number."""
    for _, _, cells in rows:
        for values in _expand(cells, fields) if _fits(cells, fields) else ():
            if PIXELS & values.keys() or RELATIVE & values.keys():
                x1, y1, x2, y2 = _corners(values)
                if x2 < x1 or y2 < y1:  # one without size is a slip of the mouse
                    return False
            if values.get("iname", "").isdigit():
                return False
            if any((match := CONSTANT.fullmatch(name)) and match[1] != cell for name, cell in values.items()):
                return False
    return True


def _meaning(rows: Sequence[Row], fields: Fields) -> object:
    """What rows say when they are read as `fields`: the same for formats that need not be told apart."""
    return tuple(
        (values.get("fn"), values.get("iname"), values.get("cname"), values.get("classid"), _corners(values))
        for _, _, cells in rows
        if _fits(cells, fields)
        for values in _expand(cells, fields)
    )


def _rows(path: Path) -> list[Row]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable ({error}); save it as UTF-8") from None
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        delimiter = next((d for d in (",", ";", "\t") if d in text), None)
        rows.append((path, number, [cell.strip().strip('"') for cell in text.split(delimiter)]))
    return rows


def _fits(cells: Sequence[str], fields: Fields) -> bool:
    try:
        expanded = _expand(cells, fields)
    except ValueError:
        return False
    for values in expanded:
        for name, cell in values.items():
            if name in PIXELS | RELATIVE or name in ("fn", "classid", "id", "n", "difficult"):
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
        name = classes[int(float(values["classid"]))]
    relative = any(key in RELATIVE for key in values)
    return Box(name, _corners(values), relative, place)


def _corners(values: Mapping[str, str]) -> Corners:
    """x1, y1, x2, y2 of whichever numbers are there."""
    v = {k.removeprefix("n"): float(cell) for k, cell in values.items() if k in PIXELS | RELATIVE}
    ends = []
    for low, high, centre, side in (("x1", "x2", "cx", "w"), ("y1", "y2", "cy", "h")):
        if low in v:
            ends.append((v[low], v[high] if high in v else v[low] + v.get(side, 0.0)))
        else:
            half = v.get(side, 0.0) / 2
            ends.append((v.get(centre, 0.0) - half, v.get(centre, 0.0) + half))
    (x1, x2), (y1, y2) = ends
    return x1, y1, x2, y2
