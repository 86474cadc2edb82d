"""The log-in of RTSP and HTTP, for asking a camera why it does not open: Basic (RFC 7617), Digest (RFC 7616, MD5)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from spotter.settings import Camera

_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


def authorization(challenges: list[str], camera: Camera, method: str, uri: str) -> str | None:
    """The Authorization header's value for the first challenge (`WWW-Authenticate`) that is understood."""
    if camera.username is None:
        return None
    user, password = camera.username, camera.password.get_secret_value() if camera.password else ""
    for challenge in sorted(challenges, key=lambda one: not one.lower().startswith("digest")):
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        asked = {key.lower(): quoted or bare for key, quoted, bare in _PAIR.findall(rest)}
        if scheme.lower() == "digest" and asked.get("algorithm", "MD5").upper() == "MD5" and "nonce" in asked:
            return _digest(asked, user, password, method, uri)
    return None


def _digest(asked: dict[str, str], user: str, password: str, method: str, uri: str) -> str:
    realm, nonce = asked.get("realm", ""), asked["nonce"]
    whose, what = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{uri}")
    given = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}"'
    if "opaque" in asked:
        given += f', opaque="{asked["opaque"]}"'
    if "auth" in re.split(r"[\s,]+", asked.get("qop", "")):
        count, mine = "00000001", secrets.token_hex(8)
        proof = _md5(f"{whose}:{nonce}:{count}:{mine}:auth:{what}")
        return f'{given}, qop=auth, nc={count}, cnonce="{mine}", response="{proof}"'
    return f'{given}, response="{_md5(f"{whose}:{nonce}:{what}")}"'


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
