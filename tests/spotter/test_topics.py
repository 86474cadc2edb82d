"""Topics are made and read in one place."""

import pytest

from spotter import topics


def test_a_camera_topic_is_read_as_it_was_made() -> None:
    parsed = topics.parse_camera_topic(topics.scene("downtown", "free-weights"))
    assert parsed == ("downtown", "free-weights", "scene")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "spotter",
        "spotter/a/scene",
        "spotter/a/b/c/scene",
        "other/a/b/scene",
        "spotter/../b/scene",
        "spotter/a b/c/scene",
        "spotter/a/b\n/scene",
        "spotter/a/b/scene\n",
        "spotter//b/scene",
        "spotter/" + "a" * 65 + "/b/scene",
    ],
)
def test_any_other_topic_is_none(topic: str) -> None:
    assert topics.parse_camera_topic(topic) is None
