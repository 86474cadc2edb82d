"""The thresholds of the rules: for a site, and for single zones of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from spotter.settings.section import Hours, Name, Seconds, Section, Share


class Rules(Section):
    """Thresholds in seconds of scene time."""

    enter_after: Seconds = Field(3, title="Enter after", description="a person in a station this long starts a session")
    leave_after: Seconds = Field(15, title="Leave after", description="nobody in a station for so long ends it")
    use_after: Seconds = Field(2, title="Use after", description="kit that moves or is in reach for so long is in use")
    rest_after: Seconds = Field(20, title="Rest after", description="kit at rest with nobody in reach ends its use")
    lost_after: Seconds = Field(10, title="Lost after", description="a lost track may be found again for so long")
    reach: float = Field(0.1, ge=0, le=1, title="Reach", description="share by which a person's box is grown")
    sight_confidence: float = Field(
        0.25, ge=0, le=1, title="Sight confidence", description="what is seen with a lower score counts as not seen"
    )
    use_confidence: float = Field(
        0.5, ge=0, le=1, title="Use confidence", description="kit whose mean score in use is lower is not booked"
    )
    rack_window: Seconds = Field(30, title="Rack window", description="what a rack holds is smoothed over so long")
    left_out_after: Seconds = Field(
        120, title="Left out after", description="kit at rest outside its rack with nobody in reach is left out"
    )
    missing_after: Seconds = Field(
        600, title="Missing after", description="kit that belongs to a rack and is seen nowhere for so long is missing"
    )
    walkway_after: Seconds = Field(
        20, title="Walkway after", description="kit at rest in a walkway for so long is a hazard"
    )
    gone_after: Seconds = Field(
        30, title="Gone after", description="kit at rest that is not seen for so long, with nobody before it, is gone"
    )
    queue_alert_after: Seconds = Field(
        300,
        title="Queue alert after",
        description="people waiting for so long while all units are busy: an alert",
    )
    identify_after: Seconds = Field(
        0.6, title="Identify after", description="an item held up to a kiosk for so long is identified"
    )
    identify_confidence: Share = Field(
        0.5, title="Identify confidence", description="a median score below it is `unsure` instead of a name"
    )
    count_after: Seconds = Field(
        1, title="Count after", description="a count that changed is told once it stood for so long"
    )
    camera_gap: Seconds = Field(15, title="Camera gap", description="no scene for longer is a camera without a picture")
    camera_lost_after: Seconds = Field(
        60, title="Camera lost after", description="open sessions end when there is no picture for so long"
    )
    late_wait: Annotated[float, Field(ge=0, le=86400)] = Field(
        3600, title="Late wait", description="cameras of one place wait for each other's scenes for at most so long"
    )
    availability_low: Share = Field(
        0.4, title="Availability, low", description="a type of which less is free at peak is short"
    )
    availability_high: Share = Field(
        0.6, title="Availability, high", description="a type of which more is free at peak is more than is needed"
    )
    service_after: dict[Name, Hours] = Field(
        {}, title="Service after", description="hours of use after which a unit is due for service, by equipment"
    )

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Rules:
        if self.availability_low > self.availability_high:
            raise ValueError("availability_low is above availability_high")
        return self


def _override(title: str) -> Any:
    return Field(None, title=title, description="as in `rules`, for this zone only")


class RuleOverrides(Section):
    """Thresholds of one zone that differ from the site's."""

    enter_after: Seconds | None = _override("Enter after")
    leave_after: Seconds | None = _override("Leave after")
    use_after: Seconds | None = _override("Use after")
    rest_after: Seconds | None = _override("Rest after")
    lost_after: Seconds | None = _override("Lost after")
    use_confidence: Share | None = _override("Use confidence")
    rack_window: Seconds | None = _override("Rack window")
    left_out_after: Seconds | None = _override("Left out after")
    missing_after: Seconds | None = _override("Missing after")
    walkway_after: Seconds | None = _override("Walkway after")
    gone_after: Seconds | None = _override("Gone after")
    queue_alert_after: Seconds | None = _override("Queue alert after")
    identify_after: Seconds | None = _override("Identify after")
    identify_confidence: Share | None = _override("Identify confidence")
    count_after: Seconds | None = _override("Count after")
    service_after: Hours | None = Field(
        None, title="Service after", description="hours of use after which this unit is due for service"
    )
