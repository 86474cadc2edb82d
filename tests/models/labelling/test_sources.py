"""Zips and files as tools and systems really write them: read, or refused in one clear line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from models.labelling.formats import ReadingOptions, read_labels, unpacked
from models.labels import DataError

ROW = "0 0.5 0.5 0.1 0.1\n"


def zipped(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zip_of_macos_is_read_from_the_folder_in_it(tmp_path: Path) -> None:
    files = {"set/one/classes.txt": "sled\n", "set/one/labels/a.txt": ROW, "__MACOSX/set/._one": b"\0\5",
             "set/one/labels/._a.txt": b"\0\5\x16\7"}  # fmt: skip
    with unpacked(zipped(tmp_path / "z.zip", files)) as opened:
        reading = read_labels(opened, ReadingOptions())
    assert [box.name for item in reading.items for box in item.boxes] == ["sled"]
    assert not reading.findings


def test_class_names_beside_an_unpacked_zip_are_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "classes.txt").write_text("person\n")
    source = zipped(tmp_path / "z.zip", {"a.txt": ROW, "b.txt": ROW})
    with pytest.raises(DataError, match="give --classes"), unpacked(source) as opened:
        read_labels(opened, ReadingOptions())


def test_a_damaged_stream_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", {"a.txt": ROW * 200})
    data = bytearray(path.read_bytes())
    start = 30 + len("a.txt")
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="not a readable zip"), unpacked(path):
        pass


def test_a_track_without_a_box_does_not_end_the_import(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    box = '<box frame="2" outside="0" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    tracks = f'<track id="0" label="sled"></track><track id="1" label="sled">{box}</track>'
    path.write_text(f"<annotations>{tracks}</annotations>")
    assert [item.picture for item in read_labels(path, ReadingOptions("cvat")).items] == [2]


def test_an_encoding_that_the_reader_lacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    for encoding in ("euc-kr", "no-such"):
        path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?><annotations>덤벨</annotations>'.encode("euc-kr"))
        with pytest.raises(DataError, match="not readable as XML"):
            read_labels(path, ReadingOptions("cvat"))
