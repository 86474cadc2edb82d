"""Which format a source is in, and its reader."""

from __future__ import annotations

import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from models.labelling.darklabel import is_darklabel, parse_fields, read_merged, read_settings
from models.labelling.json_formats import load_json, read_coco, read_label_studio
from models.labelling.records import Reading
from models.labelling.xml_formats import read_cvat, read_voc
from models.labelling.yolo import find_names, read_names, read_yolo
from models.labels import DataError
from spotter.errors import SettingsError

FORMATS = ("darklabel", "yolo", "voc", "coco", "label-studio", "cvat")

MAX_UNPACKED_BYTES = 20 << 30


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What the command line says about a source."""

    form: str | None = None
    """One of FORMATS; left out: found out."""
    classes: Path | None = None
    classes_set: str | None = None
    """The list of a `darklabel.yml` to use."""
    fields: str | None = None
    """The cells of a merged DarkLabel file."""


@contextmanager
def unpacked(source: Path) -> Iterator[Path]:
    """The source itself, or the folder with a zip's content while the block runs. Raises DataError.

    Of a zip with one folder at its top that folder is given, and what macOS adds is left out.
    """
    if not source.exists():
        raise DataError(f"labels {source}: no such file or folder")
    if source.suffix.lower() != ".zip":
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="spotter-labels-") as temporary:
        # One folder deeper: class names are also looked for in the folder above, which must be the zip's own.
        opened = Path(temporary) / "zip"
        opened.mkdir()
        try:
            with zipfile.ZipFile(source) as archive:
                entries = [entry for entry in archive.infolist() if not _is_of_macos(entry.filename)]
                if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
                    raise DataError(f"labels {source}: unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB")
                archive.extractall(opened, entries)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError) as error:
            raise DataError(f"labels {source}: not a readable zip ({error})") from None
        while len(inside := list(opened.iterdir())) == 1 and inside[0].is_dir():
            opened = inside[0]
        yield opened


def _is_of_macos(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith("._") for part in parts)


def read_labels(source: Path, options: ReadingOptions) -> Reading:
    """Read `source`, a file or folder. Raises DataError where it is in no known format."""
    form = options.form or _guess(source)
    if form in ("yolo", "darklabel") and source.is_dir():
        reading = read_yolo(source, find_names(source, options.classes, options.classes_set))
        reading.form = form
    elif form == "darklabel":
        reading = _read_darklabel(source, options)
    elif form == "voc":
        reading = read_voc([source] if source.is_file() else source.rglob("*.xml"))
    elif form in ("coco", "label-studio", "cvat"):
        reading = {"coco": read_coco, "label-studio": read_label_studio, "cvat": read_cvat}[form](_one_file(source))
    else:
        raise SettingsError(f"labels {source}: {form} labels come as a folder; give it, not a file")
    if not reading.items and not reading.findings:
        raise DataError(f"labels {source}: no {form} labels in it")
    return reading


def _read_darklabel(source: Path, options: ReadingOptions) -> Reading:
    settings_file = next(
        (p for p in (options.classes, *sorted(source.parent.glob("darklabel.y*ml"))) if p and is_darklabel(p)), None
    )
    settings = read_settings(settings_file) if settings_file else None
    names: tuple[str, ...] = ()
    if settings is not None and (settings.default_set or options.classes_set):
        names = settings.classes(options.classes_set, merged=True)
    elif options.classes is not None:
        names = read_names(options.classes, options.classes_set)
    fields = parse_fields(options.fields) if options.fields else None
    return read_merged(source, fields=fields, settings=settings, classes=names)


def _one_file(source: Path) -> Path:
    """The file itself, or the only JSON or XML file in a folder."""
    if source.is_file():
        return source
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() in (".json", ".xml"))
    if len(found) != 1:
        raise DataError(f"labels {source}: holds {len(found)} JSON or XML files; give the one to read")
    return found[0]


def _guess(source: Path) -> str:
    if source.is_dir():
        return _guess_folder(source)
    ending = source.suffix.lower()
    if ending in (".csv", ".txt"):
        return "darklabel"
    if ending == ".xml":
        return "cvat" if b"<annotations" in source.read_bytes()[:4096] else "voc"
    if ending == ".json":
        content = load_json(source)
        if isinstance(content, dict) and "annotations" in content:
            return "coco"
        if isinstance(content, list):
            return "label-studio"
    raise DataError(f"labels {source}: in no known format; name it with --format ({', '.join(FORMATS)})")


def _guess_folder(folder: Path) -> str:
    """A folder of VOC files or YOLO rows, or one with a single COCO, Label Studio or CVAT file."""
    xml = sorted(folder.rglob("*.xml"))
    if len(xml) == 1 and _guess(xml[0]) == "cvat":
        return "cvat"
    if xml:
        return "voc"
    json_files = sorted(folder.rglob("*.json"))
    rows = any(folder.rglob("*.txt"))
    if len(json_files) == 1 and (not rows or not _has_rows(folder)):
        return _guess(json_files[0])
    if rows:
        return "darklabel" if any(is_darklabel(p) for p in folder.iterdir()) else "yolo"
    raise DataError(f"labels {folder}: no label files in it (*.txt, *.xml, *.json)")


def _has_rows(folder: Path) -> bool:
    return bool(read_yolo(folder, ()).items)
