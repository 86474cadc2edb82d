"""`spotter catalog`: what people read about the thing in their hand."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from spotter.catalog import load
from spotter.commands.catalog import catalog
from spotter.errors import SettingsError


def call(*arguments: str) -> str:
    result = CliRunner().invoke(catalog, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("entry", [entry for entry in load() if entry.equipment], ids=lambda entry: entry.label)
def test_a_card_shows_all_that_the_catalogue_says(entry) -> None:
    for language, card in (("en", entry.en), ("ko", entry.ko)):
        text = call("show", entry.label, "--language", language)
        for part in (card.name, card.purpose, card.size, *card.steps, *card.mind, *card.exercises, *entry.sources):
            assert part in text


def test_a_thing_is_found_by_what_people_call_it() -> None:
    assert call("show", "Swiss", "ball").startswith("Exercise ball (exercise_ball)")
    assert call("show", "아령", "--language", "ko").startswith("덤벨 (dumbbell)")
    assert json.loads(call("show", "girya", "--json"))["ko"]["name"] == "케틀벨"


def test_what_it_does_not_know_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(SettingsError, match="'ketlebell' is not in the catalogue; did you mean kettlebell"):
        call("show", "ketlebell")
    with pytest.raises(SettingsError, match="see `spotter catalog list`"):
        call("show", "zzz")


def test_the_list_has_every_label_in_both_languages() -> None:
    for language in ("en", "ko"):
        lines = call("list", "--language", language).splitlines()
        assert [line.split()[0] for line in lines] == [entry.label for entry in load()]
