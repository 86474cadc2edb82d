"""The equipment catalogue: what a label is called, what it is for and how it is used, in English and Korean."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spotter.errors import SettingsError
from spotter.events import NAME_PATTERN, describe

Language = Literal["en", "ko"]

SHIPPED = Path(__file__).with_name("catalog.yaml")

FEWEST_STEPS = 3

Text = Annotated[str, Field(min_length=1, max_length=500)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Card(_Part):
    """What is said about a label in one language."""

    name: Text = Field(description="what one of it is called on pages and cards")
    plural: Text
    aliases: tuple[Text, ...] = Field((), description="other names that people use")
    purpose: Text | None = Field(None, description="what it is for, in a sentence or two")
    steps: tuple[Text, ...] = Field((), max_length=6, description="how to use it, in three to six steps")
    mind: tuple[Text, ...] = Field((), description="what to mind, the most important first")
    muscles: tuple[Text, ...] = ()
    size: Text | None = Field(None, description="how large and heavy it usually is")
    exercises: tuple[Text, ...] = Field((), description="typical exercises")


class Entry(_Part):
    """A label of the catalogue."""

    label: Annotated[str, Field(pattern=NAME_PATTERN)]
    equipment: bool = Field(True, description="false for what is detected but not used, such as a person")
    en: Card
    ko: Card
    spellings: tuple[Text, ...] = Field((), description="what data sets call it, often misspelt; no page shows it")
    sources: tuple[Text, ...] = Field((), description="what the notes on safety rest on")

    @model_validator(mode="after")
    def _equipment_is_explained(self) -> Entry:
        for card in (self.en, self.ko):
            if self.equipment and not (card.purpose and card.mind and len(card.steps) >= FEWEST_STEPS):
                raise ValueError(f"{self.label}: equipment needs a purpose, three to six steps and what to mind")
        return self

    def card(self, language: Language = "en") -> Card:
        """What is said about it in `language`."""
        return self.en if language == "en" else self.ko


class Catalog(_Part):
    """All labels. A label that it lacks, such as that of another model, still gets a readable name."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:  # type: ignore[override]  # pydantic would iterate over its fields
        return iter(self.entries)

    def get(self, label: str) -> Entry | None:
        """The entry of a label."""
        return next((entry for entry in self.entries if entry.label == label), None)

    def name(self, label: str, language: Language = "en") -> str:
        """What one of `label` is called; a label that is not in the catalogue is made readable."""
        entry = self.get(label)
        return entry.card(language).name if entry else _readable(label)

    def find(self, text: str) -> Entry | None:
        """The entry that a person or a data set means by a label, name, alias or spelling in any language.

        Case, spaces and punctuation do not matter: `YogaBlock`, `yoga-block` and `Yoga blocks` are one.
        """
        wanted = _squash(text)
        for entry in self.entries if wanted else ():
            names = {entry.label, *entry.spellings}
            for card in (entry.en, entry.ko):
                names.update((card.name, card.plural, *card.aliases))
            if wanted in {_squash(name) for name in names}:
                return entry
        return None


@cache
def load(path: Path = SHIPPED) -> Catalog:
    """Read a catalogue file. Raises SettingsError with the first mistake and its place."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = [{"label": label, **entry} for label, entry in values.items()]
        return Catalog.model_validate({"entries": entries})
    except OSError as error:
        raise SettingsError(f"{path}: can't be read ({error.strerror})") from error
    except ValidationError as error:
        raise SettingsError(f"{path}: {describe(error)}") from error
    except (yaml.YAMLError, AttributeError, TypeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a catalogue: each entry is `label: {{en: …, ko: …}}`") from error


def _readable(label: str) -> str:
    words = label.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:] if words else label


def _squash(text: str) -> str:
    composed = unicodedata.normalize("NFC", text)  # macOS takes Hangul in file names apart
    return "".join(c for c in composed.casefold() if c.isalnum())
