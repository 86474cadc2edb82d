"""`spotter catalog`: what the equipment catalogue says, for people who hold the thing."""

from __future__ import annotations

import difflib
import json

import click

from spotter.catalog import Card, Catalog, Entry, Language, load
from spotter.errors import SettingsError

_LANGUAGE = click.option(
    "--language", type=click.Choice(["en", "ko"]), default="en", show_default=True, help="English or Korean."
)

_HEADINGS: dict[Language, dict[str, str]] = {
    "en": {
        "aliases": "Also called", "purpose": "What it is for", "steps": "How to use it", "mind": "What to mind",
        "muscles": "Muscles", "size": "Size", "exercises": "Exercises", "sources": "Sources of what to mind",
    },
    "ko": {
        "aliases": "다른 이름", "purpose": "용도", "steps": "사용 방법", "mind": "주의할 점",
        "muscles": "쓰이는 근육", "size": "크기", "exercises": "운동", "sources": "주의할 점의 출처",
    },
}  # fmt: skip


@click.group()
def catalog() -> None:
    """Read the equipment catalogue."""


@catalog.command(name="list")
@_LANGUAGE
def list_command(language: Language) -> None:
    """Every label, its name and its other names."""
    entries = list(load())
    width = max(len(entry.label) for entry in entries)
    for entry in entries:
        card = entry.card(language)
        others = f" ({', '.join(card.aliases)})" if card.aliases else ""
        click.echo(f"{entry.label:<{width}}  {card.name}{others}")


@catalog.command()
@click.argument("label", nargs=-1, required=True)
@_LANGUAGE
@click.option("--json", "as_json", is_flag=True, help="The entry as one JSON object, in both languages.")
def show(label: tuple[str, ...], language: Language, as_json: bool) -> None:
    """What it is for, how to use it and what to mind. LABEL may be any name that people use: `Swiss ball`, `아령`."""
    entry = _find(load(), " ".join(label))
    if as_json:
        click.echo(json.dumps(entry.model_dump(), ensure_ascii=False))
    else:
        click.echo(text_of(entry, language))


def text_of(entry: Entry, language: Language) -> str:
    """An entry as plain text."""
    card: Card = entry.card(language)
    headings = _HEADINGS[language]
    parts = [f"{card.name} ({entry.label})"]
    if card.aliases:
        parts.append(f"{headings['aliases']}: {', '.join(card.aliases)}")
    if card.purpose:
        parts.append(f"\n{headings['purpose']}\n  {card.purpose}")
    for field, mark in (("steps", None), ("mind", "-")):
        lines = getattr(card, field)
        if lines:
            body = "\n".join(f"  {mark or f'{i}.'} {line}" for i, line in enumerate(lines, 1))
            parts.append(f"\n{headings[field]}\n{body}")
    details = [
        f"{headings[field]}: {text}"
        for field, text in (
            ("muscles", ", ".join(card.muscles)), ("size", card.size), ("exercises", ", ".join(card.exercises)),
        )
        if text
    ]  # fmt: skip
    if details:
        parts.append("\n" + "\n".join(details))
    if entry.sources:
        parts.append(f"\n{headings['sources']}\n" + "\n".join(f"  - {source}" for source in entry.sources))
    return "\n".join(parts)


def _find(known: Catalog, text: str) -> Entry:
    """The entry that is meant; raises SettingsError with the nearest names."""
    entry = known.find(text)
    if entry is not None:
        return entry
    names = {name: e for e in known for c in (e.en, e.ko) for name in (e.label, c.name, *c.aliases)}
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `spotter catalog list`"
    raise SettingsError(f"{text!r} is not in the catalogue; {hint}")
