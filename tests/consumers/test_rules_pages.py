"""The rules' pages name every threshold there is, with its default, and none that there isn't."""

from __future__ import annotations

import re
from pathlib import Path

import consumers
from spotter.settings import RuleOverrides, Rules

PAGES = Path(consumers.__file__).parents[1] / "docs" / "rules"

ROW = re.compile(r"^\| `(\w+)` \| ([\d.]+)( s)? \|", re.MULTILINE)
"""A threshold in a page's table, with its default."""

BY_TYPE = "service_after"
"""The one setting that has no default to tell: hours by type of equipment."""


def rows() -> list[tuple[str, str, float]]:
    """(page, threshold, default) of all tables."""
    return [
        (page.name, name, float(default))
        for page in sorted(PAGES.glob("*.md"))
        for name, default, _ in ROW.findall(page.read_text(encoding="utf-8"))
    ]


def test_every_threshold_is_on_a_page_and_no_page_names_another() -> None:
    assert {name for _, name, _ in rows()} == Rules.model_fields.keys() - {BY_TYPE}
    assert f"`{BY_TYPE}:" in (PAGES / "maintenance.md").read_text(encoding="utf-8")


def test_the_pages_tell_the_defaults() -> None:
    rules = Rules()
    assert rows() == [(page, name, float(getattr(rules, name))) for page, name, _ in rows()]


def test_the_pages_tell_which_thresholds_hold_for_the_whole_site() -> None:
    (sentence,) = re.findall(r"^(`reach`.*?)hold for the site", (PAGES / "README.md").read_text("utf-8"), re.M | re.S)
    assert set(re.findall(r"`(\w+)`", sentence)) == Rules.model_fields.keys() - RuleOverrides.model_fields.keys()
