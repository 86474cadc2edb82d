"""What protects every page: headers, cookies, CSRF tokens, rate limits, and who is really asking."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, abort, request
from flask.sessions import SecureCookieSessionInterface
from flask_limiter import ApplicationLimit, Limiter
from flask_wtf import CSRFProtect

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # data: Bootstrap's own arrows; blob: previews, which must not be cached
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "manifest-src 'self'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}

SESSION_DAYS = 14

csrf = CSRFProtect()


def client_address() -> str:
    """The address that asks. Behind a proxy on this machine, the one that the proxy names; nobody else is believed."""
    peer = request.remote_addr or "unknown"
    named = request.headers.get("X-Forwarded-For", "").rsplit(",", 1)[-1].strip()
    return named if named and is_loopback(peer) else peer


def is_loopback(address: str) -> bool:
    """Whether `address` is this machine's own."""
    return address == "::1" or address.startswith(("127.", "::ffff:127."))


def _no_token_given() -> bool:
    return request.authorization is None or not request.path.startswith("/api/")


WRONG_TOKENS = "120 per minute"
"""From one address: twice what a program needs that asks each second with a token that has expired."""

limiter = Limiter(
    client_address,
    application_limits=[
        ApplicationLimit(
            WRONG_TOKENS, exempt_when=_no_token_given, deduct_when=lambda answer: answer.status_code == 401
        )
    ],
    headers_enabled=False,
)


class _Cookies(SecureCookieSessionInterface):
    def get_cookie_secure(self, app: Flask) -> bool:
        """Over HTTPS only, wherever HTTPS is used; a gym's own box often has none, and must still let people in."""
        return request.is_secure


def init_app(app: Flask, redis_url: str | None) -> None:
    """Protect `app`. With Redis, attempts are counted there, for all processes; without it, in each process."""
    app.session_interface = _Cookies()
    app.config.update(
        SESSION_COOKIE_NAME="spotter",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=SESSION_DAYS * 86400,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: the page stays open all day
        MAX_CONTENT_LENGTH=1_000_000,
        MAX_FORM_MEMORY_SIZE=200_000,
        RATELIMIT_STORAGE_URI=redis_url or "memory://",
        RATELIMIT_STORAGE_OPTIONS={"socket_timeout": 2, "socket_connect_timeout": 2} if redis_url else {},
        RATELIMIT_KEY_PREFIX="spotter:limit",
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=redis_url is not None,
    )
    app.before_request(_refuse_nul)
    csrf.init_app(app)
    limiter.init_app(app)
    app.after_request(_protect)


def safe_next(target: str | None) -> str | None:
    """`target` if it is a path of this site; None for anything that could lead elsewhere."""
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\") or not target.isprintable():
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


def _refuse_nul() -> None:
    """Nothing here has a NUL in its name or text, and PostgreSQL can't even be asked for one."""
    if "\0" in request.path:
        abort(404)
    if any("\0" in value for given in (request.args, request.form) for _, value in given.items(multi=True)):
        abort(400)


def _protect(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
