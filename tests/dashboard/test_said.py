"""What cameras and rules say is understood, whatever they say, and translated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.language import catalogue
from dashboard.said import SENTENCES, for_scripts, said, shape
from spotter.catalog import load

ROOT = Path(__file__).parents[2]

SPEAKERS = {
    "pipeline/capture/diagnosis.py": {"why_not_open", "log_in_refused", "_webcam", "_file", "_rtsp", "_http"},
    "pipeline/capture/gstreamer_faults.py": {"missing_element", "missing_plugin", "why_lost", "why_refused"},
    "pipeline/health.py": {"judge"},
    "pipeline/service.py": {"outbox_trouble"},
}
"""Functions whose strings, returned, are said of a camera."""

CALLS = {
    *("failure", "_error", "_enter", "enter", "lost", "_lost", "farewell", "raise_if_new", "clear", "degraded"),
    *("DeliveryError", "SetError", "NotAPictureError"),
}
"""Functions whose last string is said."""

CALLERS = (
    *("pipeline/capture", "pipeline/deepstream", "pipeline/service.py", "consumers/rules"),
    *("dashboard/live", "dashboard/notify", "dashboard/labelling"),
)

Constants = dict[str, str]
"""A module's own strings, by name."""


def constants(tree: ast.Module) -> Constants:
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def texts(node: ast.expr, known: Constants) -> Iterator[str]:
    """The strings that an expression may be, with x where a value is put in."""
    match node:
        case ast.Constant(str(value)):
            yield value
        case ast.Name(name) if name in known:
            yield known[name]
        case ast.JoinedStr(values):
            yield "".join(
                value.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str)
                else _value(value, known)
                for value in values
            )
        case ast.IfExp(_, body, orelse):
            yield from texts(body, known)
            yield from texts(orelse, known)
        case ast.BoolOp(_, values):
            for value in values:
                yield from texts(value, known)
        case ast.Tuple(elements):
            yield from texts(elements[-1], known)
        case ast.Call(ast.Name("mark"), [argument]):
            yield from texts(argument, known)


def _value(node: ast.expr, known: Constants) -> str:
    source = ast.unparse(node.value if isinstance(node, ast.FormattedValue) else node)
    if source in known:
        return known[source]
    if "seconds(" in source:
        return "10 min"
    return "7" if re.search(r"SECONDS|seconds|round|waited|after|max_cameras|code|number", source) else "x"


def spoken() -> set[tuple[str, str]]:
    found = set()
    for name, functions in SPEAKERS.items():
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name in functions:
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        found |= {(name, text) for text in texts(inner.value, constants(tree))}
    for place in CALLERS:
        for path in sorted((ROOT / place).rglob("*.py")) if (ROOT / place).is_dir() else [ROOT / place]:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and node.args:
                    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if called in CALLS:
                        found |= {(path.name, text) for text in texts(node.args[-1], constants(tree))}
    return {(name, text) for name, text in found if " " in text and re.search("[a-z]{3}", text)}


def test_whatever_is_said_is_understood() -> None:
    marked = {message.id for message in catalogue("ko")}
    heard = spoken()
    assert len(heard) > 50, "the speakers were not found"
    lost = [
        one for one in sorted(heard) if one[1] not in marked and not any(shape(s).fullmatch(one[1]) for s in SENTENCES)
    ]
    assert lost == []


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        (
            "kettlebell at rest for 10 min with nobody in reach",
            "케틀벨: 가까이에 아무도 없이 10분 동안 놓여 있음",
        ),
        ("foam_roller seen nowhere for 120 s", "폼롤러: 120초 동안 어디에서도 보이지 않음"),
        (
            "rtsp://camera.example:554/live: the stream has broken off",
            "rtsp://camera.example:554/live: 영상 전송이 끊겼습니다",
        ),
        ("front is offline, rack is degraded", "front: 오프라인, rack: 이상 있음"),
        ("something of a newer version", "something of a newer version"),
    ],
)
def test_sentences_are_said_in_korean(english: str, korean: str) -> None:
    assert said(english, "ko", load()) == korean
    assert said("the stream has broken off", "en", load()) == "the stream has broken off"


def test_scripts_know_the_same_sentences() -> None:
    assert for_scripts("en") == []
    assert len(for_scripts("ko")) == len(SENTENCES)
    assert all("(?P<" not in pattern and words for pattern, words in for_scripts("ko"))
