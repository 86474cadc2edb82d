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

from models.labelling.darklabel import has_cells, read_darklabel, say_list
from models.labelling.darklabel_settings import DarkLabelFile, is_darklabel, parse_fields, read_settings, settings_in
from models.labelling.json_formats import load_json, read_coco, read_label_studio
from models.labelling.records import Reading
from models.labelling.xml_formats import read_cvat, read_voc
from models.labelling.yolo import class_list, find_names, label_files, read_names, read_yolo
from models.labels import PICTURE_SUFFIXES, DataError
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
    if form == "darklabel" and (source.is_file() or _has_cells(source)):
        reading = _read_darklabel(source, options)
    elif form in ("yolo", "darklabel") and source.is_dir():
        reading = _read_yolo(source, options)
        reading.form = form
    elif form == "voc":
        reading = read_voc([source] if source.is_file() else source.rglob("*.xml"))
    elif form in ("coco", "label-studio", "cvat"):
        reading = {"coco": read_coco, "label-studio": read_label_studio, "cvat": read_cvat}[form](
            _one_file(source, ".xml" if form == "cvat" else ".json")
        )
    else:
        raise SettingsError(f"labels {source}: {form} labels come as a folder; give it, not a file")
    if not reading.items and not reading.findings:
        raise DataError(f"labels {source}: no {form} labels in it")
    return reading


def _read_yolo(source: Path, options: ReadingOptions) -> Reading:
    path = find_names(source, options.classes)
    name, classes = class_list(path, options.classes_set)
    reading = read_yolo(source, classes)
    if name is not None:
        say_list(reading, path, name, classes)
    return reading


def _read_darklabel(source: Path, options: ReadingOptions) -> Reading:
    files = [source] if source.is_file() else label_files(source, ".txt", ".csv")
    settings = _settings_for(source, options)
    given = options.classes if settings is None or options.classes != settings.path else None
    return read_darklabel(
        source,
        files,
        fields=parse_fields(options.fields) if options.fields else None,
        settings=settings,
        classes=read_names(given) if given else None,
        classes_set=options.classes_set,
        one_picture=source.is_dir() and _has_picture_each(source, files),
    )


def _settings_for(source: Path, options: ReadingOptions) -> DarkLabelFile | None:
    """The `darklabel.yml` that is given, or lies beside the labels."""
    given = settings_in(options.classes) if options.classes else None
    places = (source, source.parent) if source.is_dir() else (source.parent,)
    beside = (path for place in places for path in sorted(place.glob("*.y*ml")) if is_darklabel(path))
    path = None if given else next(beside, None)
    return read_settings(path) if path else given


def _has_cells(folder: Path) -> bool:
    """Whether all text files in a folder are of DarkLabel's own form, with commas between cells."""
    filled = [path for path in label_files(folder, ".txt", ".csv") if path.stat().st_size]
    return bool(filled) and all(has_cells(path) for path in filled)


def _has_picture_each(folder: Path, files: list[Path]) -> bool:
    stems = {path.stem for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES}
    return all(path.stem in stems for path in files)


def _one_file(source: Path, suffix: str) -> Path:
    """The file itself, or the only one of its kind in a folder."""
    if source.is_file():
        return source
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() == suffix)
    if len(found) != 1:
        raise DataError(f"labels {source}: holds {len(found)} {suffix} files; give the one to read")
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
    xml = sorted(path for path in folder.rglob("*.xml") if not _is_setup(path))
    if len(xml) == 1 and _guess(xml[0]) == "cvat":
        return "cvat"
    if xml:
        return "voc"
    json_files = sorted(folder.rglob("*.json"))
    rows = label_files(folder)
    if json_files and not rows:
        return _guess(json_files[0])
    if _has_cells(folder):
        return "darklabel"
    if rows:
        return "darklabel" if any(is_darklabel(p) for p in folder.iterdir()) else "yolo"
    raise DataError(f"labels {folder}: no label files in it (*.txt, *.csv, *.xml, *.json)")


def _is_setup(path: Path) -> bool:
    """Whether an XML file is Label Studio's labelling setup."""
    return path.read_bytes()[:4096].lstrip().startswith(b"<View")
