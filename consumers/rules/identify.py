"""What is held up to a kiosk camera: a name when its scores bear it out over a moment, else `unsure`.

See `docs/rules/identify.md`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from consumers.facts import IdentifiedFact
from consumers.layout import Layout
from consumers.picture import Kit, Picture
from consumers.view import Box
from consumers.zones import CameraZones, area, distance_in_sizes

NEAR_SIZES = 1.5
"""By so many of its sizes an item in a hand may jump between two scenes in which its track broke."""

CENTRE = (0.25, 0.25, 0.75, 0.75)
"""Where the centre of an item must be to count as held up, on a picture without zones."""

KEEP_SHARE = 0.8
"""A name stays while its median score is at least this share of what it takes to give it: scores tremble."""

MEMORY_MS, MEMORY_SAMPLES = 10_000, 5
"""Labels are weighed over so long, and over so many scenes where they come more rarely: longer than most things are
held up, since a detector that first said one thing and then steadily another is wrong in one of the two."""

PLAIN_SHARE = 0.9
"""A name needs this share of all score that the item got over that time, under whatever label: one that changes its
label while it is held up is easily taken for the other thing, however sure each single scene is."""

MOVING_WEIGHT = 0.25
"""What is seen of an item on its way counts for less: it is blurred and half covered."""

OTHER_SHARE = 0.5
"""An item takes over from a larger one only from this share of its area on: hands tremble too."""


@dataclass(slots=True)
class KioskState:
    """What is held up to one camera. Times in milliseconds since 1970."""

    track: str | None = None
    box: Box = (0, 0, 0, 0)
    samples: list[tuple[int, str, float, bool]] = field(default_factory=list)
    """(time, label, score, moving) of the item, oldest first"""
    gone: int | None = None
    """Since when the item is not seen."""
    told: Literal["recognised", "unsure", "none"] | None = None
    label: str | None = None
    """As told."""
    nearest: tuple[str, ...] = ()
    """As told."""


def is_kiosk(zones: CameraZones) -> bool:
    """Whether items are held up to a camera: it has a kiosk zone, or no zones at all."""
    return not zones.zones or any(zone.kind == "kiosk" for zone in zones.zones.values())


def step(state: KioskState, picture: Picture, layout: Layout) -> tuple[KioskState, list[IdentifiedFact]]:
    """Take a picture of a kiosk camera into account."""
    zone = next((name for name, zone in picture.zones.zones.items() if zone.kind == "kiosk"), None)
    thresholds = layout.thresholds_in(zone)
    now, after = picture.time, thresholds.identify_after
    facts: list[IdentifiedFact] = []
    item = _chosen(state, picture)
    if item is None and state.gone is None:
        state.gone = now
    if state.gone is not None and now - state.gone >= after and state.track is not None:
        state.track, state.samples = None, []
        if state.told is not None:
            facts += _tell(state, picture.camera, "none", None, (), now)
    if item is None:
        return state, facts
    if state.track != item.track and distance_in_sizes(state.box, item.box) > NEAR_SIZES:
        state.samples = []
    state.track, state.box, state.gone = item.track, item.box, None
    samples = state.samples
    samples.append((now, item.label, item.score, item.moving))
    while len(samples) > MEMORY_SAMPLES and samples[0][0] < now - MEMORY_MS:
        del samples[0]
    if now - samples[0][0] >= after:
        facts += _decide(state, picture.camera, thresholds.identify_confidence, now - after, now)
    return state, facts


def _chosen(state: KioskState, picture: Picture) -> Kit | None:
    """The largest item that is held up; the same as before, unless another one is much larger."""
    shown = [kit for kit in picture.kit if _is_shown(kit, picture)]
    if not shown:
        return None
    largest = max(shown, key=lambda kit: (area(kit.box), kit.track))
    known = next((kit for kit in shown if kit.track == state.track), None)
    return known if known is not None and area(known.box) >= OTHER_SHARE * area(largest.box) else largest


def _is_shown(kit: Kit, picture: Picture) -> bool:
    if kit.home is not None:
        return picture.zones.zones[kit.home].kind == "kiosk"
    left, top, right, bottom = kit.box
    x, y = (left + right) / 2, (top + bottom) / 2
    return not picture.zones.zones and CENTRE[0] <= x <= CENTRE[2] and CENTRE[1] <= y <= CENTRE[3]


def _decide(state: KioskState, camera: str, enough: float, since: int, now: int) -> list[IdentifiedFact]:
    """Give a name where the median score since then bears it out, and no other label is near to it."""
    weights: dict[str, float] = defaultdict(float)
    for _, label, score, moving in state.samples:
        weights[label] += score * (MOVING_WEIGHT if moving else 1)
    ranked = sorted(weights, key=lambda label: (-weights[label], label))
    best, total = ranked[0], sum(weights.values())
    # A scene under another label counts as a score of 0.
    score = median(score if label == best else 0.0 for at, label, score, _ in state.samples if at >= since)
    keeps = KEEP_SHARE if (state.told, state.label) == ("recognised", best) else 1
    if score >= enough * keeps and weights[best] >= total * PLAIN_SHARE * keeps:
        return _tell(state, camera, "recognised", best, (), now, score)
    seen = len(state.samples)
    scores = {label: sum(score for _, other, score, _ in state.samples if other == label) / seen for label in ranked}
    return _tell(state, camera, "unsure", None, tuple((label, round(scores[label], 4)) for label in ranked[:2]), now)


def _tell(
    state: KioskState,
    camera: str,
    kind: Literal["recognised", "unsure", "none"],
    label: str | None,
    nearest: tuple[tuple[str, float], ...],
    now: int,
    confidence: float | None = None,
) -> list[IdentifiedFact]:
    """The fact, where it is another one than was told last."""
    names = tuple(sorted(name for name, _ in nearest))
    if (state.told, state.label) == (kind, label) and (state.nearest == names or not set(names) - set(state.nearest)):
        return []
    state.told, state.label, state.nearest = kind, label, names
    return [IdentifiedFact(camera, kind, label, None if confidence is None else round(confidence, 4), nearest, now)]
