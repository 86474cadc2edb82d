"""The rules' settings as the rules read them: durations in whole milliseconds of scene time, shares as they are."""

from __future__ import annotations

from dataclasses import dataclass

from consumers.view import seconds_to_ms
from spotter.settings import RuleOverrides, Rules

_SHARES = ("reach", "sight_confidence", "use_confidence", "identify_confidence")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds of a site, or of one of its zones."""

    enter_after: int
    leave_after: int
    use_after: int
    rest_after: int
    lost_after: int
    rack_window: int
    left_out_after: int
    missing_after: int
    walkway_after: int
    gone_after: int
    queue_alert_after: int
    identify_after: int
    count_after: int
    camera_gap: int
    camera_lost_after: int
    late_wait: int
    reach: float
    sight_confidence: float
    use_confidence: float
    identify_confidence: float

    @classmethod
    def of(cls, rules: Rules, zone: RuleOverrides | None = None) -> Thresholds:
        """From a site's settings, and those of a zone that differ."""
        values = {name: getattr(rules, name) for name in cls.__dataclass_fields__}
        if zone is not None:
            own = zone.model_dump(exclude_none=True)
            values.update({name: value for name, value in own.items() if name in values})
        return cls(**{name: v if name in _SHARES else seconds_to_ms(v) for name, v in values.items()})
