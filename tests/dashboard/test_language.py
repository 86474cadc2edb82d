"""English and Korean throughout: every text is marked, every marked text is translated."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import Environment, nodes

from dashboard import language

from .gym import Gym

DASHBOARD = Path(language.__file__).parent
TEMPLATES = sorted((DASHBOARD / "templates").rglob("*.html"))
SCRIPTS = sorted((DASHBOARD / "static" / "js").rglob("*.js"))
MODULES = sorted(DASHBOARD.rglob("*.py"))

KEYWORDS = {"_": None, "_l": None, "gettext": None, "lazy_gettext": None, "mark": None, "t": None, "ngettext": (1, 2)}
TRANSLATING = {"_", "gettext", "ngettext", "pgettext", "npgettext"}

SPOKEN = {"aria-label", "title", "alt", "placeholder", "data-label", "value", "content"}
"""Attributes that a person reads or hears; `value` of buttons."""

BRANDS = {"Spotter"}

LETTERS = re.compile(r"[^\W\d_]{2,}")


class Spoken(HTMLParser):
    """The texts in a page that people read, those in code, scripts and styles left out."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in ("code", "pre", "script", "style") or "data-untranslated" in named:
            self._silent.append(tag)
        if self._silent or tag in ("meta", "link") or (tag == "input" and named.get("type") != "submit"):
            return
        if tag == "option" and named.get("value"):
            named.pop("value")
        self.texts += [value for name, value in attrs if name in SPOKEN and name in named and value]

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)


def untranslated(source: str) -> list[str]:
    """What a template says in English without asking for a translation."""
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_null_translations(newstyle=True)
    parsed = environment.parse(source)
    spoken = Spoken()
    # What an expression gives stands as a sign without letters.
    classes = {id(output) for block in parsed.find_all(nodes.Block) if block.name == "width" for output in block.body}
    for output in (one for one in parsed.find_all(nodes.Output) if id(one) not in classes):
        for node in output.nodes:
            spoken.feed(node.data if isinstance(node, nodes.TemplateData) else "·")
    spoken.close()
    constants = [text for text in _constants(parsed, False) if text[:1].isupper() or text.count(" ") > 1]
    return [
        text.strip()
        for text in (*spoken.texts, *constants)
        if LETTERS.search(text) and text.strip().split()[-1] not in BRANDS
    ]


def _constants(node: nodes.Node, translated: bool) -> Iterator[str]:
    """String constants in expressions, those that are translated or name things left out."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        if node.node.name in TRANSLATING:
            translated = True
        elif node.node.name == "url_for":
            return
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and not translated:
        yield node.value
    for child in node.iter_child_nodes():
        yield from _constants(child, translated)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_says_anything_untranslated(path: Path) -> None:
    assert untranslated(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hello there</p>",
        "<p>{{ n }} sessions</p>",
        '<button aria-label="Close"></button>',
        "{{ 'Nothing is in use' }}",
        "{% for name in [('a', 'Live')] %}{{ name }}{% endfor %}",
        "{% if x %}<b>yes it is</b>{% endif %}",
    ],
)
def test_an_untranslated_text_would_be_noticed(source: str) -> None:
    assert untranslated(source)
    assert (
        untranslated("<p>{{ _('Hello there') }}</p>{% trans %}Text <b>in</b> it{% endtrans %}<code>gym.yaml</code>")
        == []
    )


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def bare_texts(call: ast.Call) -> list[str]:
    """Strings, f-strings among them, that are given to a call as they are."""
    values = [
        *call.args[:1],
        *(keyword.value for keyword in call.keywords if keyword.arg in ("label", "description", "message")),
    ]
    return [ast.unparse(value) for value in values if isinstance(value, ast.Constant | ast.JoinedStr) and value != ""]


def test_no_flashed_message_or_field_is_untranslated() -> None:
    wrong = []
    for path in MODULES:
        for call in calls(path):
            name = called(call)
            if (
                name == "flash"
                or (name.endswith("Field") and name != "Field")  # that one is pydantic's: the API speaks English
                or name in ("DataRequired", "InputRequired", "ValidationError")
            ):
                wrong += [f"{path.name}: {name}({text})" for text in bare_texts(call)]
            if name == "EqualTo":
                wrong += [f"{path.name}: {name}" for value in call.args[1:] if isinstance(value, ast.Constant)]
    assert wrong == []


def test_no_script_says_anything_untranslated() -> None:
    """What scripts put into pages goes through `t`: no sentence stands in a literal elsewhere."""
    for path in SCRIPTS:
        source = re.sub(r"^\s*//.*$|(?<=[;{},\s])//\s.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        source = re.sub(r"\bt\((\"(?:[^\"\\]|\\.)*\")", "t(", source)
        literals = re.findall(r'"((?:[^"\\\n]|\\.)*)"', source)
        assert [
            text for text in literals if re.match(r"[A-Z][a-z]+[ .…]", text) or re.search(r"[a-z] [a-z]+ [a-z]", text)
        ] == [], path.name


def marked() -> set[str | tuple[str, ...]]:
    with (DASHBOARD / "translations" / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file, "babel.cfg")
    found = extract_from_dir(DASHBOARD, methods, options, KEYWORDS)
    return {message if isinstance(message, str) else tuple(message) for _, _, message, _, _ in found}


@pytest.mark.parametrize("code", [code for code in language.NAMES if code != language.SOURCE])
def test_every_text_is_translated_and_nothing_else_is(code: language.Language) -> None:
    known = {
        message.id if isinstance(message.id, str) else tuple(message.id): message
        for message in language.catalogue(code)
        if message.id
    }
    assert set(known) == marked(), "run `make translations`, then translate what is new"
    for text, message in known.items():
        strings = [message.string] if isinstance(message.string, str) else list(message.string)
        assert all(strings), f"not translated: {text}"
        assert not message.fuzzy, text
        wanted = set(re.findall(r"%\(\w+\)[sd]", text if isinstance(text, str) else text[-1]))
        for string in strings:
            assert set(re.findall(r"%\(\w+\)[sd]", string)) == wanted, text
            assert re.findall(r"</?\w+", string).sort() == re.findall(r"</?\w+", str(text)).sort(), text


@pytest.mark.parametrize(
    ("asked", "cookie", "given"),
    [
        ("", None, "en"),
        ("ko-KR,ko;q=0.9,en;q=0.5", None, "ko"),
        ("de-DE,de;q=0.9", None, "en"),
        ("de,ko;q=0.4", None, "ko"),
        ("en-GB", "ko", "ko"),
        ("ko", "en", "en"),
        ("ko", "<script>", "ko"),
    ],
)
def test_a_page_is_in_the_chosen_language_or_the_browsers(
    client: FlaskClient, gym: Gym, asked: str, cookie: str | None, given: str
) -> None:
    if cookie:
        client.set_cookie(language.COOKIE, cookie)
    page = client.get("/login", headers={"Accept-Language": asked})
    assert f'<html lang="{given}"' in page.text
    assert ("로그인" in page.text) == (given == "ko")


def test_the_switch_remembers_and_leads_back(gym: Gym, client: FlaskClient) -> None:
    page = client.get("/login?next=/sessions").text
    link = re.search(r'<a class="language" href="([^"]+)" lang="ko"', page)
    assert link is not None
    answer = client.get(link[1].replace("&amp;", "&"))
    assert (answer.status_code, answer.location) == (302, "/login?next=/sessions")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "로그인" in client.get("/login").text
    assert client.get("/language/en?next=//evil.example").location == "/"
    assert client.get("/language/xx").status_code == 404


LATIN = re.compile(r"[A-Za-z]{2,}")
NAMES = re.compile(
    r"Spotter|English|Olga|downtown|free-weights|kiosk|treadmill-1|Europe/Berlin|CSV|gym\.yaml|JavaScript|floor|Treadmill|API|OpenAPI|Rope|fps|cm|kg|mm|SVG|PDF|bike-1"
)
"""Names and units, which are the same in every language."""


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/live",
        "/sessions",
        "/sessions?from=x",
        "/sessions?equipment=rope",
        "/alerts",
        "/alerts?state=over",
        "/alerts?state=x",
        "/equipment",
        "/equipment?against=before",
        "/report",
        "/equipment/kettlebell",
        "/equipment/treadmill?unit=treadmill-1",
        "/none",
        "/people",
        "/people/sign-ins",
        "/people/tokens",
        "/api",
        "/account",
    ],
)
def test_a_korean_page_has_no_english_left_in_it(gym: Gym, signed_in: FlaskClient, path: str) -> None:
    gym.well()
    now = datetime.now(timezone.utc)
    gym.session("kettlebell", now - timedelta(days=1, minutes=75), 20)
    gym.session("treadmill", now - timedelta(minutes=5), None, unit="treadmill-1")
    gym.alert()
    gym.clear(gym.alert("walkway"))
    gym.alert("maintenance_due", unit="treadmill-1", equipment="treadmill", detail="30 h")
    spoken = Spoken()
    spoken.feed(signed_in.get(path, headers={"Accept-Language": "ko"}).text)
    left = [text.strip() for text in spoken.texts if LATIN.search(NAMES.sub("", text))]
    assert [text for text in left if not text.startswith(("“from”", "“state”"))] == []


def test_errors_and_forms_answer_in_korean(gym: Gym, client: FlaskClient) -> None:
    gym.add()
    client.set_cookie(language.COOKIE, "ko")
    page = client.get("/login").text
    token = page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]
    wrong = client.post("/login", data={"name": "Olga", "password": "wrong wrong wrong", "csrf_token": token})
    assert "맞지 않습니다" in wrong.text
    empty = client.post("/login", data={"name": "", "password": "", "csrf_token": token})
    assert "이름을 입력하세요" in empty.text
    assert "요청을 이해하지" in client.post("/login", data={}).text


def test_scripts_get_their_texts(app: Flask, signed_in: FlaskClient) -> None:
    def texts(asked: str) -> dict[str, str]:
        page = signed_in.get("/", headers={"Accept-Language": asked}).text
        found = re.search(r'<script type="application/json" id="texts">(.*?)</script>', page)
        return json.loads(found[1]) if found else {}

    assert texts("en") == {}
    korean = texts("ko")
    assert korean["Nothing is in use."] == "사용 중인 기구가 없습니다."
    assert "the database does not answer; check that it runs" in korean
    assert "Sign in" not in korean  # only templates say it
