"""English and Korean: which one a person reads, the texts in it, and the switch between the two.

Texts are marked where they stand: `_()` in templates, `gettext` in Python, `t()` in scripts. Their translations are
in `translations/ko.po`, which is read as it is: nothing is compiled, so nothing can be stale or missing.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Blueprint, Flask, abort, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import Babel, Domain, get_locale

from dashboard.security import safe_next
from spotter.catalog import Language

bp = Blueprint("language", __name__)

NAMES: dict[Language, str] = {"en": "English", "ko": "한국어"}
"""Every language, by its own name."""

SOURCE: Language = "en"
"""The language that the texts are written in."""

COOKIE = "spotter_language"
COOKIE_SECONDS = 365 * 86400

FOLDER = Path(__file__).with_name("translations")


def mark(text: str) -> str:
    """`text` itself: marks what is translated later, where it is shown."""
    return text


def init_app(app: Flask) -> None:
    """Translate templates and messages of `app`, and serve the switch."""
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    _Languages().init_app(app, locale_selector=_wanted)
    app.register_blueprint(bp)
    app.context_processor(
        lambda: {
            "language": chosen(),
            "languages": NAMES,
            "script_texts": script_texts,
            "here": request.full_path.rstrip("?") if request.method == "GET" else None,
        }
    )


def chosen() -> Language:
    """The language of the one who asks; outside a request, the one that texts are written in."""
    return cast(Language, str(get_locale() or SOURCE))


def translated(text: str, language: Language) -> str:
    """A marked text in a language, for messages that nobody's request asks for."""
    return _translations(language).gettext(text)


def script_texts() -> dict[str, str]:
    """What scripts say, in the language of the one who asks; empty where that is the one it is written in."""
    return _script_texts(chosen())


@bp.get("/language/<code>")
def choose(code: str) -> ResponseReturnValue:
    """Remember a language and go back. A link and no form, so that it works for strangers and without scripts."""
    if code not in NAMES:
        abort(404)
    response = redirect(safe_next(request.args.get("next")) or "/")
    response.set_cookie(COOKIE, code, COOKIE_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure)
    return response


@cache
def catalogue(language: Language) -> Catalog:
    """The translations into `language`, each with where its text stands."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def _wanted() -> Language:
    """What was chosen, else the best of what the browser asks for."""
    known = get_args(Language)
    remembered = request.cookies.get(COOKIE)
    if remembered in known:
        return cast(Language, remembered)
    return cast(Language, request.accept_languages.best_match(known, SOURCE))


@cache
def _translations(language: Language) -> NullTranslations:
    if language == SOURCE:
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return Translations(compiled)


@cache
def _script_texts(language: Language) -> dict[str, str]:
    """Texts of scripts, and of what `live` sends to them."""
    if language == SOURCE:
        return {}
    return {
        message.id: message.string
        for message in catalogue(language)
        if isinstance(message.id, str)
        and isinstance(message.string, str)
        and any(path.endswith(".js") or "live/" in path for path, _ in message.locations)
    }


class _Texts(Domain):  # type: ignore[misc]  # Flask-Babel has no types
    def get_translations(self) -> NullTranslations:
        return _translations(chosen())


class _Languages(Babel):  # type: ignore[misc]  # Flask-Babel has no types
    @property
    def domain_instance(self) -> Any:
        return _Texts(domain=self.domain)
