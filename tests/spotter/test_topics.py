"""Topics are made and read in one place."""

import pytest

from spotter import topics


def test_a_camera_topic_is_read_as_it_was_made() -> None:
    parsed = topics.parse_camera_topic(topics.scene("downtown", "free-weights"))
    assert parsed == ("downtown", "free-weights", "scene")


@pytest.mark.parametrize("text", ["#", "+", "spotter/#", "spotter/+/+/scene", "+/a/#", "/", "a//b", "$SYS/#", "카메라"])
def test_a_topic_filter_is_one(text: str) -> None:
    assert topics.is_filter(text)


@pytest.mark.parametrize(
    "text", ["", "spotter/#/scene", "#/", "a#", "##", "a/b+", "++", "a\0b", "a\udcff", "a" * 65536]
)
def test_what_no_broker_takes_is_no_filter(text: str) -> None:
    assert not topics.is_filter(text)


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
