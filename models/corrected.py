"""A set for the labels page out of a recording and what people corrected: frames of those sessions, named anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from models.frames import FrameSettings, Taken, take_frames
from models.labelling.adding import LOOKED_AT, other_keys
from models.labelling.importing import labels_of, write_data_yaml
from models.labelling.names import Names
from models.labelling.writing import Proposed, write_yolo
from models.labels import DataError
from models.suggesting import propose
from models.video import Video
from spotter.catalog import Catalog
from spotter.detector import Detector
from spotter.events import describe

_SHOWN = 5  # cameras that a message lists


class Correction(BaseModel):
    """A line of `corrections.json`, as the dashboard writes it."""

    camera: str
    begin: AwareDatetime
    end: AwareDatetime
    was_taken_for: str
    became: str | None = Field(alias="is", description="none where it was no use")
    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class CorrectedSession:
    """A session after all its corrections; times are seconds into the recording."""

    begin: float
    end: float
    taken_for: str
    truly: str | None
    """None where it was no use; that says nothing of what is in the picture."""

    def covers(self, seconds: float) -> bool:
        """Whether it went on then."""
        return self.begin <= seconds <= self.end


@dataclass(slots=True)
class CorrectedSet:
    """What was put into a set."""

    taken: Taken
    boxes: Counter[str] = field(default_factory=Counter)
    """Proposed boxes by label."""
    renamed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Boxes that got another label, by the two."""


def read_corrections(path: Path) -> list[Correction]:
    """The corrections of a file. Raises DataError for what the dashboard did not write."""
    try:
        return TypeAdapter(list[Correction]).validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"corrections {path}: can't be read ({error.strerror})") from None
    except ValidationError as error:
        raise DataError(
            f"corrections {path}: not what *Download for training* on the dashboard gives ({describe(error)})"
        ) from None


def sessions_in(
    corrections: Sequence[Correction], camera: str, recording: Path, start: datetime
) -> list[CorrectedSession]:
    """The corrected sessions of a camera in its recording from `start` on. Raises DataError where there are none."""
    video = Video(recording)
    length = video.frames / video.fps
    own = [one for one in corrections if one.camera == camera]
    found = [one for one in _settled(own, start) if one.begin <= length and one.end >= 0]
    if not found:
        end = start + timedelta(seconds=length)
        raise DataError(
            f"{recording}: no correction of camera {camera!r} from {_text(start, start)} to {_text(end, start)}, which "
            f"it covers; there are {_listed(corrections, start)}; check --camera and --start"
        )
    return found


def write_set(
    recording: Path,
    sessions: Sequence[CorrectedSession],
    out: Path,
    detector: Detector,
    catalog: Catalog,
    *,
    every: float,
    passed: Callable[[], None] | None = None,
) -> CorrectedSet:
    """Add frames of the sessions to the set in `out`, with what the detector finds and the corrections call it.

    Raises DataError where what is in `out` can't take pictures that nobody looked at.
    """
    before = labels_of(out)
    if before and not (out / LOOKED_AT).is_file():
        raise DataError(f"data set {out}: not of the labels page, and would train with unseen pictures; another --out")
    names = Names(catalog, start=before or [entry.label for entry in catalog])
    truths = [one.truly and names.label(one.truly) for one in sessions]
    labels = tuple(names.labels)  # what is found or was wrong adds no class to a set that does without
    sessions = [
        replace(one, taken_for=names.label(one.taken_for), truly=truth)
        for one, truth in zip(sessions, truths, strict=True)
    ]
    taken = take_frames(
        recording,
        out / "images",
        FrameSettings(every=every),
        passed,
        within=lambda seconds: any(one.covers(seconds) for one in sessions),
    )
    if not taken.looked_at:
        raise DataError(
            f"{recording}: no frame within the corrected sessions; give a smaller --every, or convert it to MP4"
        )
    done = CorrectedSet(taken)
    proposals = [
        _named(one, [s for s in sessions if s.covers(seconds)], names, done)
        for one, seconds in zip(propose(detector, taken.kept), taken.seconds, strict=True)
    ]
    _write_labels(out, before, labels)
    write_yolo(proposals, _numbered(out / "proposals", labels, names.labels), out / "proposals")
    return done


def _settled(corrections: Sequence[Correction], start: datetime) -> list[CorrectedSession]:
    """One for each session: a later correction of the same time begins with what the one before made of it."""
    found: dict[tuple[datetime, datetime, str | None], CorrectedSession] = {}
    for one in sorted(corrections, key=lambda c: c.at):
        before = found.pop((one.begin, one.end, one.was_taken_for), None)
        begin, end = ((moment - start) / timedelta(seconds=1) for moment in (one.begin, one.end))
        taken_for = before.taken_for if before else one.was_taken_for
        found[one.begin, one.end, one.became] = CorrectedSession(begin, end, taken_for, one.became)
    return list(found.values())


def _named(proposed: Proposed, sessions: Sequence[CorrectedSession], names: Names, done: CorrectedSet) -> Proposed:
    """The boxes under their right labels; those of sessions that were no use stay, for the thing may lie there."""
    truths = {one.taken_for: one.truly for one in sessions if one.truly is not None}
    boxes = []
    for found, score, corners in proposed.boxes:
        label = names.label(found)
        truth = truths.get(label, label)
        boxes.append((truth, score, corners))
        done.boxes[truth] += 1
        if truth != label:
            done.renamed[label, truth] += 1
    return replace(proposed, boxes=tuple(boxes))


def _write_labels(out: Path, before: Sequence[str], labels: tuple[str, ...]) -> None:
    """Begin the set as the labels page does, or add classes to it, after those that it has."""
    data = out / "data.yaml"
    if not before:
        (out / LOOKED_AT).touch()
        write_data_yaml(data, labels, train=LOOKED_AT, val=LOOKED_AT)
    elif tuple(before) != labels:
        write_data_yaml(data, labels, **other_keys(data))


def _numbered(proposals: Path, labels: Sequence[str], more: Sequence[str]) -> list[str]:
    """The classes of proposals: those there keep their numbers."""
    listed = proposals / "classes.txt"
    known = [line.strip() for line in listed.read_text("utf-8").splitlines()] if listed.is_file() else list(labels)
    return [*known, *(label for label in more if label not in known)]


def _listed(corrections: Sequence[Correction], start: datetime) -> str:
    """Cameras and times of corrections."""
    cameras: dict[str, list[Correction]] = {}
    for one in corrections:
        cameras.setdefault(one.camera, []).append(one)
    shown = [
        f"{len(own)} of {camera} ({_text(min(c.begin for c in own), start)} to {_text(max(c.end for c in own), start)})"
        for camera, own in list(cameras.items())[:_SHOWN]
    ]
    return ", ".join(shown) + (", …" if len(cameras) > _SHOWN else "") or "none at all"


def _text(moment: datetime, start: datetime) -> str:
    """In the time zone of `start`, to the second."""
    return moment.astimezone(start.tzinfo).isoformat(timespec="seconds")
