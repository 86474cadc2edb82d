"""DarkLabel's `darklabel.yml`: its class lists, and the cells of the formats that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.labels import DataError

PIXELS = frozenset({"x1", "y1", "x2", "y2", "cx", "cy", "w", "h"})
RELATIVE = frozenset(f"n{name}" for name in PIXELS)
CONSTANT = re.compile(r"c=(.*)")
_KNOWN = frozenset({"fn", "iname", "cname", "classid", "id", "difficult", "n"}) | PIXELS | RELATIVE

Fields = tuple[Any, ...]
"""Names of cells; a tuple among them is the group that repeats."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of a `darklabel.yml`: its cells, the class list that it names, whether all frames share a file."""

    fields: Fields
    classes_set: str | None
    merged: bool


@dataclass(frozen=True, slots=True)
class DarkLabelFile:
    """What a `darklabel.yml` says: class lists by name, the list in use, and formats."""

    path: Path
    sets: Mapping[str, tuple[str, ...]]
    default_set: str | None
    formats: tuple[Format, ...]

    def class_list(
        self, name: str | None = None, formats: Iterable[Format] | None = None
    ) -> tuple[str, tuple[str, ...]]:
        """The name and classes of the list called `name`; left out: of that which `formats` use, or the default.

        `formats` left out: those with a file for each picture and numbers as classes. Raises DataError where there is
        none, or where the formats use several and the default is none of them.
        """
        wanted = name or self._used_by(formats) or self.default_set
        if wanted is None and len(self.sets) == 1:
            wanted = next(iter(self.sets))
        if wanted is None or wanted not in self.sets:
            has = f"it has {', '.join(self.sets)}; name one with --classes-set" if self.sets else "it has none"
            raise DataError(f"{self.path}: no class list{f' {wanted!r}' if wanted else ' is chosen'} ({has})")
        return wanted, self.sets[wanted]

    def _used_by(self, formats: Iterable[Format] | None) -> str | None:
        if formats is None:
            formats = [f for f in self.formats if not f.merged and mentions(f.fields, "classid")]
        used = dict.fromkeys(f.classes_set or self.default_set for f in formats)
        named = [one for one in used if one is not None and one in self.sets]
        if self.default_set in named:
            return self.default_set
        if len({self.sets[one] for one in named}) > 1:
            raise DataError(
                f"{self.path}: its formats use several class lists ({', '.join(named)}), and classes_set "
                f"({self.default_set or 'left out'}) is none of them; name one with --classes-set"
            )
        return named[0] if named else None


def is_darklabel(path: Path) -> bool:
    """Whether a file is named as DarkLabel's settings are."""
    return path.name.lower() in ("darklabel.yml", "darklabel.yaml")


def settings_in(path: Path) -> DarkLabelFile | None:
    """The settings in a YAML file, under whatever name, or None where it holds none. Raises DataError."""
    if is_darklabel(path):
        return read_settings(path)
    if path.suffix.lower() not in (".yml", ".yaml"):
        return None
    content = _content(path)
    own = "classes_set" in content or any(re.fullmatch(r"format\d+", str(key)) for key in content)
    return read_settings(path) if own and "names" not in content else None


def read_settings(path: Path) -> DarkLabelFile:
    """Read a `darklabel.yml`. Raises DataError where it is unreadable."""
    content = _content(path)
    formats = []
    for key in sorted((k for k in content if re.fullmatch(r"format\d+", str(k))), key=lambda k: int(k[6:])):
        values = content[key]
        if isinstance(values, dict) and isinstance(values.get("data_fmt"), list):
            merged = bool(values.get("gt_merged", content.get("gt_merged", 0)))
            own = values.get("classes_set")
            try:
                fields = as_fields(values["data_fmt"])
            except DataError:
                continue  # a format with cells that are unknown here may well be unused
            formats.append(Format(fields, None if own is None else str(own), merged))
    lists = {
        str(k): tuple(str(n) for n in v)
        for k, v in content.items()
        if isinstance(v, list) and v and all(isinstance(n, str) for n in v)
    }
    default = content.get("classes_set")
    if isinstance(default, list):  # the classes themselves, where the name of their list should stand
        default = "classes_set"
    return DarkLabelFile(path, lists, None if default is None else str(default), tuple(formats))


def as_fields(values: Sequence[Any]) -> Fields:
    """Names of cells, checked. Raises DataError for an unknown one."""
    fields = tuple(as_fields(v) if isinstance(v, list) else str(v).strip() for v in values)
    for name in fields:
        if isinstance(name, str) and name not in _KNOWN and not CONSTANT.fullmatch(name):
            raise DataError(f"DarkLabel field {name!r}: not one of {', '.join(sorted(_KNOWN))}")
    return fields


def parse_fields(text: str) -> Fields:
    """Fields of the command line: `fn,cname,id,x1,y1,w,h`, or `fn,n,[id,x1,y1,x2,y2,cname]`."""
    try:
        return as_fields(yaml.safe_load(f"[{text}]"))
    except yaml.YAMLError:
        raise DataError(f"--fields {text}: not a list of DarkLabel's field names") from None


def mentions(fields: Fields, *names: str) -> bool:
    """Whether one of `names` is among the cells."""
    return any(mentions(f, *names) if isinstance(f, tuple) else f in names for f in fields)


def spell(fields: Fields) -> str:
    """The cells as --fields takes them."""
    return ",".join(f"[{spell(f)}]" if isinstance(f, tuple) else f for f in fields)


def _content(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        # OpenCV's reader wants "%YAML:1.0", which no other reader accepts.
        content = yaml.safe_load(re.sub(r"\A%YAML.*\n(---\s*\n)?", "", text))
    except UnicodeDecodeError:
        raise DataError(f"{path}: not in UTF-8; save it as UTF-8") from None
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f"{path}: not readable as YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: it holds no settings")
    return content
