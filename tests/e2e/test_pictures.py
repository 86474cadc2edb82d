"""The pictures of pages in docs/ are told from each other: else a walk could not notice that one no longer matches."""

from __future__ import annotations

from itertools import combinations

from . import days

TWINS = {frozenset({"identify", "identify-ko"})}
"""One page in two languages."""


def test_a_page_does_not_pass_for_another() -> None:
    pictures = {path.stem: days.reduced(path) for path in days.PICTURES.glob("*.jpg")}
    steady = sorted(pictures.keys() - days.CHANGING.keys() - set(days.ANY_STATE))
    assert len(steady) > 20
    for one, other in combinations(steady, 2):
        alike = days.likeness(pictures[one], pictures[other])
        assert alike < days.LIKENESS or {one, other} in TWINS, (one, other, alike)
    for name, enough in days.CHANGING.items():
        others = [days.likeness(pictures[name], pictures[one]) for one in steady]
        assert max(others) < enough, name
