"""What alerts are called, in every language."""

from __future__ import annotations

from typing import NamedTuple, get_args

from spotter.catalog import Catalog, Language
from spotter.events import AlertKind

KINDS: tuple[AlertKind, ...] = get_args(AlertKind)

URGENT: frozenset[str] = frozenset({"walkway", "camera_offline"})
"""Somebody may get hurt, or nothing is seen any more."""


class Words(NamedTuple):
    """A kind of alert in one language."""

    name: str
    meaning: str
    """What raises it, in a sentence."""


_WORDS: dict[Language, dict[str, Words]] = {
    "en": {
        "left_out": Words("Left out", "Kit lies outside its rack with nobody in reach."),
        "walkway": Words("In the way", "Kit lies where people walk."),
        "missing": Words("Missing", "Kit of a rack is seen nowhere."),
        "queue": Words("People wait", "Somebody has waited for equipment for long."),
        "camera_offline": Words("No picture", "A camera gives no picture, so nothing is known of what it watches."),
        "maintenance_due": Words("Service due", "A unit was in use for so many hours that it is to be serviced."),
    },
    "ko": {
        "left_out": Words("방치됨", "기구가 거치대 밖에 놓여 있고 가까이에 아무도 없습니다."),
        "walkway": Words("통로 막힘", "사람이 다니는 곳에 기구가 놓여 있습니다."),
        "missing": Words("사라짐", "거치대의 기구가 어디에서도 보이지 않습니다."),
        "queue": Words("대기 중", "기구를 오래 기다린 사람이 있습니다."),
        "camera_offline": Words("화면 없음", "카메라 화면이 없어 그곳의 상황을 알 수 없습니다."),
        "maintenance_due": Words("정비 필요", "사용 시간이 길어 정비할 때가 되었습니다."),
    },
}


def words(kind: str, language: Language) -> Words:
    """What a kind is called; one of a newer Spotter by its own name."""
    return _WORDS[language].get(kind) or Words(kind.replace("_", " ").capitalize(), "")


def subject(
    catalog: Catalog,
    language: Language,
    *,
    camera: str | None,
    zone: str | None,
    unit: str | None,
    equipment: str | None,
) -> str:
    """What an alert is about, and where, such as `Kettlebell, floor`."""
    what = unit or (catalog.name(equipment, language) if equipment else None)
    places = dict.fromkeys(part for part in (what, zone, None if zone else camera) if part)
    return ", ".join(places)


def headline(kind: str, about: str, language: Language) -> str:
    """An alert in one line, such as `Left out: Kettlebell, floor`."""
    name = words(kind, language).name
    return f"{name}: {about}" if about else name
