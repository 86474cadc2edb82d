"""The equipment catalogue: whole, in both languages, and kind to labels that it does not know."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from spotter import catalog
from spotter.errors import SettingsError

CLASSES = (
    *("person", "kettlebell", "med_ball", "foam_roller", "yoga_block"),
    *("lacrosse_ball", "aqua_ball", "exercise_ball", "dumbbell"),
)


def test_every_class_of_the_detector_is_in_it() -> None:
    assert [entry.label for entry in catalog.load()] == list(CLASSES)


@pytest.mark.parametrize("entry", [entry for entry in catalog.load() if entry.equipment], ids=lambda entry: entry.label)
def test_an_entry_says_all_that_a_card_needs_in_both_languages(entry: catalog.Entry) -> None:
    for card in (entry.en, entry.ko):
        assert 3 <= len(card.steps) <= 6
        assert card.purpose
        assert card.size
        assert card.mind
        assert card.muscles
        assert card.exercises
        assert card.aliases
    assert entry.sources
    assert len(entry.en.steps) == len(entry.ko.steps)
    assert len(entry.en.mind) == len(entry.ko.mind)
    assert any("가" <= letter <= "힣" for letter in entry.ko.purpose or "")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("YogaBlock", "yoga_block"),
        ("Swiss ball", "exercise_ball"),
        ("아령", "dumbbell"),
        (" MED BALL ", "med_ball"),
        ("yoga block", "yoga_block"),
        ("Dumbell", "dumbbell"),
        ("kettleball", "kettlebell"),
        ("human", "person"),
        (unicodedata.normalize("NFD", "케틀벨"), "kettlebell"),
    ],
)
def test_people_find_things_by_the_names_they_use(text: str, label: str) -> None:
    found = catalog.load().find(text)
    assert found is not None
    assert found.label == label


def test_no_name_means_two_things() -> None:
    known: dict[str, str] = {}
    for entry in catalog.load():
        shown = {name for card in (entry.en, entry.ko) for name in (card.name, card.plural, *card.aliases)}
        assert not shown & {*entry.spellings}
        for name in shown | {*entry.spellings}:
            assert known.setdefault(name.casefold(), entry.label) == entry.label
            found = catalog.load().find(name)
            assert found is not None
            assert found.label == entry.label


def test_an_unknown_label_is_still_readable() -> None:
    assert catalog.load().name("squat_rack") == "Squat rack"
    assert catalog.load().name("kettlebell", "ko") == "케틀벨"


@pytest.mark.parametrize(
    "text",
    [
        "kettlebell: {en: {name: K}}",
        "- a\n- b",
        "kettlebell: [",
        "rope: {en: {name: R, plural: R}, ko: {name: R, plural: R}}",
        "'bad label!': {en: {name: K, plural: K}}",
        "5",
    ],
)
def test_a_wrong_catalogue_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        catalog.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
