"""Class names: each keeps its number, and no two become one."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.labelling.importing import labels_of
from models.labelling.names import Names
from models.labelling.yolo import read_names
from models.labels import DataError, read_layout
from spotter.catalog import load


def test_names_in_another_script_stay_apart() -> None:
    names = Names(load())
    labels = [names.label(name) for name in ("덤벨 10kg", "케틀벨 10kg", "!!", "??", "!!")]
    assert labels == ["덤벨_10kg", "케틀벨_10kg", "unnamed", "unnamed_2", "unnamed"]


def test_class_names_go_by_their_numbers(tmp_path: Path) -> None:
    keys = [0, 1, 10, 11, *range(2, 10)]
    wanted = tuple(f"a{number}" for number in range(12))
    path = tmp_path / "data.yaml"
    path.write_text("train: images\nnames:\n" + "".join(f"  '{key}': a{key}\n" for key in keys))
    assert read_names(path) == labels_of(tmp_path) == read_layout(path).labels == wanted
    path.write_text("train: images\nnames: {0: a, 2: b}\n")
    for read in (read_names, read_layout, lambda p: labels_of(p.parent)):
        with pytest.raises(DataError, match=r"data\.yaml"):
            read(path)
    path.write_text("train: images\nnames: []\n")
    with pytest.raises(DataError, match="`names` is empty"):
        read_layout(path)


def test_an_empty_line_among_class_names_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("person\n\nkettlebell\n\n\n")
    assert read_names(path) == ("person", "class1", "kettlebell")
    path.write_bytes("덤벨\n".encode("cp949"))
    with pytest.raises(DataError, match="save it as UTF-8"):
        read_names(path)


def test_given_labels_go_through_the_catalogue() -> None:
    names = Names(load(), given={"ball": "Medicine Ball", "rope": "Battle Rope", "kettlebel": "dumbbell"})
    assert [names.label(name) for name in ("Ball", "rope", "kettlebell")] == ["med_ball", "battle_rope", "kettlebell"]
    assert (names.unknown, names.unused) == ({"rope": "battle_rope"}, ["kettlebel"])


def test_a_data_set_keeps_its_own_names() -> None:
    names = Names(load(), start=["Kettlebell", "BattleRope"])
    assert [names.label(name) for name in ("kettlebell", "battle rope", "sled")] == ["Kettlebell", "BattleRope", "sled"]
    assert names.labels == ["Kettlebell", "BattleRope", "sled"]
