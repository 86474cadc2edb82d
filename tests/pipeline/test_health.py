from __future__ import annotations

import pytest

from pipeline.health import Vitals, has_picture, judge

PLAYING = {"phase": "playing", "reason": None, "phase_age": 100.0, "frame_age": 0.1, "look_age": 0.5}
RETRYING = {"phase": "retrying", "reason": "connection refused", "frame_age": 3.0, "look_age": 3.0}


@pytest.mark.parametrize(
    ("vitals", "state", "reason", "picture"),
    [
        (PLAYING, "online", None, True),
        (PLAYING | {"look_age": 2.3}, "online", None, True),
        (PLAYING | {"look_age": 6.0}, "degraded", "stalled", True),
        (PLAYING | {"look_age": 11.0}, "offline", "stalled", False),
        (PLAYING | {"look_age": None, "phase_age": 1.0}, "degraded", "first look", True),
        (PLAYING | {"look_age": None, "phase_age": 12.0}, "offline", "stalled", False),
        (PLAYING | {"look_age": 60.0, "phase_age": 1.0}, "online", None, True),
        (PLAYING | {"frame_age": 4.0}, "degraded", "no pictures", False),
        (PLAYING | {"frame_age": 12.0}, "offline", "no pictures", False),
        (PLAYING | {"detector_error": "RuntimeError: x", "look_age": 1.0}, "degraded", "RuntimeError", True),
        (PLAYING | {"detector_error": "RuntimeError: x", "look_age": 11.0}, "offline", "RuntimeError", False),
        (PLAYING | {"outbox_trouble": "the outbox is full"}, "degraded", "outbox", True),
        (PLAYING | {"offered_fps": 5.0, "overtaken_fps": 4.0}, "degraded", "too slow", True),
        (PLAYING | {"offered_fps": 5.0, "overtaken_fps": 1.0}, "online", None, True),
        ({**PLAYING, "phase": "connecting", "phase_age": 1.0}, "degraded", "connecting", True),
        ({**PLAYING, "phase": "connecting", "phase_age": 5.0}, "degraded", "connecting", False),
        ({**PLAYING, "phase": "connecting", "phase_age": 11.0}, "offline", "connecting", False),
        (RETRYING | {"phase_age": 1.0}, "degraded", "connection refused", False),
        (RETRYING | {"phase_age": 11.0}, "offline", "connection refused", False),
        (RETRYING | {"phase_age": 1.0, "look_age": None}, "offline", "connection refused", False),
        ({**PLAYING, "phase": "ended", "reason": "the file has ended"}, "offline", "the file has ended", False),
    ],
)
def test_the_state_is_the_truth(vitals: dict[str, object], state: str, reason: str | None, picture: bool) -> None:
    judged = Vitals(**vitals)  # type: ignore[arg-type]
    found_state, found_reason = judge(judged)
    assert found_state == state
    assert (reason is None) == (found_reason is None)
    assert reason is None or reason in (found_reason or "")
    assert has_picture(judged) == picture
