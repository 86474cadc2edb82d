"""Compares sessions with true times: how many minutes are wrong, and which sessions are missed, false or split."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from consumers.replay import Interpretation, closed
from consumers.view import seconds_to_ms, to_ms, to_time
from spotter.errors import SpotterError
from spotter.events import Name, UtcTime, describe, format_time

Interval = tuple[int, int]
"""Milliseconds since 1970: from, to."""

Subject = tuple[str, str | None]
"""(equipment, unit)"""


class TrueSession(BaseModel):
    """A session as it really was, in seconds from the truth's start."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    equipment: Name
    unit: Name | None = None
    start: float = Field(allow_inf_nan=False)
    end: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _in_order(self) -> TrueSession:
        if self.end < self.start:
            raise ValueError("end is before start")
        return self


class Truth(BaseModel):
    """A truth file (design section 6)."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    start: UtcTime
    uncertain: tuple[tuple[float, float], ...] = ()
    sessions: tuple[TrueSession, ...] = ()


@dataclass(slots=True)
class Score:
    """How sessions compare with the truth, for one unit or label, or in all."""

    true_seconds: float = 0.0
    found_seconds: float = 0.0
    wrong_seconds: float = 0.0
    """Time in which use was found and there was none, or the other way round."""
    true_sessions: int = 0
    found_sessions: int = 0
    missed: int = 0
    false: int = 0
    split: int = 0

    @property
    def error(self) -> float | None:
        """Wrong minutes as a share of the true ones; None where there are no true ones."""
        return self.wrong_seconds / self.true_seconds if self.true_seconds else None

    def add(self, other: Score) -> None:
        """Sum up."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Comparison:
    """Scores by (equipment, unit), and over all."""

    scores: dict[Subject, Score] = field(default_factory=dict)

    @property
    def overall(self) -> Score:
        """The sum over all units and labels."""
        total = Score()
        for score in self.scores.values():
            total.add(score)
        return total


def read_truth(path: Path) -> Truth:
    """Read a truth file. Raises SpotterError with the place of what is wrong."""
    try:
        return Truth.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SpotterError(f"{path}: can't be read ({error.strerror})") from error
    except ValidationError as error:
        raise SpotterError(f"{path}: {describe(error)}; see design section 6 for the form") from error


def compare(result: Interpretation, truth: Truth) -> Comparison:
    """Compare what a log came to with the truth; times that are uncertain count neither way.

    Raises SpotterError when the log and the truth are not of the same time.
    """
    start = to_ms(truth.start)
    true: dict[Subject, list[Interval]] = defaultdict(list)
    for session in truth.sessions:
        interval = (start + seconds_to_ms(session.start), start + seconds_to_ms(session.end))
        true[session.equipment, session.unit].append(interval)
    found: dict[Subject, list[Interval]] = defaultdict(list)
    for event in result.sessions:
        whole = closed(event, result)
        assert whole.ended is not None
        found[event.equipment, event.unit].append((to_ms(whole.started), to_ms(whole.ended)))
    _check_times(result, [interval for intervals in true.values() for interval in intervals], truth)
    uncertain = [(start + seconds_to_ms(begin), start + seconds_to_ms(end)) for begin, end in truth.uncertain]
    comparison = Comparison()
    for subject in sorted({*true, *found}, key=lambda subject: (subject[0], subject[1] or "")):
        comparison.scores[subject] = _score(true[subject], found[subject], uncertain)
    return comparison


def _check_times(result: Interpretation, true: list[Interval], truth: Truth) -> None:
    if result.first is None or result.last is None or not true:
        return
    if result.last < min(begin for begin, _ in true) or result.first > max(end for _, end in true):
        raise SpotterError(
            f"the scenes are of {format_time(to_time(result.first))}, the truth of {format_time(truth.start)}; "
            f"record again with --start {format_time(truth.start)}"
        )


def _score(true: list[Interval], found: list[Interval], uncertain: list[Interval]) -> Score:
    score = Score()
    certain_true = [pieces for pieces in (_without(interval, uncertain) for interval in true) if pieces]
    certain_found = [pieces for pieces in (_without(interval, uncertain) for interval in found) if pieces]
    score.true_sessions, score.found_sessions = len(certain_true), len(certain_found)
    score.true_seconds = sum(_length(pieces) for pieces in certain_true) / 1000
    score.found_seconds = sum(_length(pieces) for pieces in certain_found) / 1000
    score.wrong_seconds = _disagreement(certain_true, certain_found) / 1000
    score.missed, score.false, score.split = _match(certain_true, certain_found)
    return score


def matched(true: list[list[Interval]], found: list[list[Interval]]) -> list[tuple[int, int]]:
    """Which go together, one to one by most time shared: (number of the one, number of the other)."""
    taken_true: set[int] = set()
    taken_found: set[int] = set()
    pairs = []
    for _, i, j in sorted(_overlaps(true, found)):
        if i not in taken_true and j not in taken_found:
            taken_true.add(i)
            taken_found.add(j)
            pairs.append((i, j))
    return pairs


def _match(true: list[list[Interval]], found: list[list[Interval]]) -> tuple[int, int, int]:
    """(missed, false, split): sessions go one to one to what they share most time with.

    A session left over is a piece of a split one when it lies on true use, and false otherwise.
    """
    pairs = matched(true, found)
    overlapping = {j for _, _, j in _overlaps(true, found)}
    return len(true) - len(pairs), len(found) - len(overlapping), len(overlapping) - len(pairs)


def _overlaps(true: list[list[Interval]], found: list[list[Interval]]) -> list[tuple[int, int, int]]:
    """(-milliseconds shared, number of the one, number of the other) of all that share any."""
    overlaps = []
    for i, true_pieces in enumerate(true):
        for j, found_pieces in enumerate(found):
            shared = sum(_shared(a, b) for a in true_pieces for b in found_pieces)
            if shared > 0:
                overlaps.append((-shared, i, j))
    return overlaps


def _disagreement(true: list[list[Interval]], found: list[list[Interval]]) -> int:
    """Milliseconds, counted once for each item, in which not as many are found in use as truly are."""
    steps: dict[int, int] = defaultdict(int)
    for sign, groups in ((1, true), (-1, found)):
        for pieces in groups:
            for begin, end in pieces:
                steps[begin] += sign
                steps[end] -= sign
    total = difference = 0
    before: int | None = None
    for moment in sorted(steps):
        if before is not None:
            total += abs(difference) * (moment - before)
        difference += steps[moment]
        before = moment
    return total


def _without(interval: Interval, uncertain: list[Interval]) -> list[Interval]:
    """What is left of an interval without the uncertain times; nothing of an empty one."""
    pieces = [interval]
    for begin, end in uncertain:
        pieces = (
            [
                piece
                for one, other in pieces
                for piece in ((one, min(other, begin)), (max(one, end), other))
                if piece[0] < piece[1]
            ]
            if begin < end
            else pieces
        )
    return [piece for piece in pieces if piece[0] < piece[1]]


def _shared(one: Interval, other: Interval) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def _length(pieces: list[Interval]) -> int:
    return sum(end - begin for begin, end in pieces)
