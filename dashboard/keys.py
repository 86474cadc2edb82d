"""Secrets in the data folder: the key that signs cookies, and the one-time set-up link (only its hash is kept)."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from spotter.errors import SpotterError

_KEY_BYTES = 32
_OWNER_ONLY = 0o600


class DataFolderError(SpotterError):
    """The data folder can't be written."""


def secret_key(data: Path) -> bytes:
    """The key that signs cookies, made at the first start. Raises DataFolderError."""
    path = data / "dashboard.key"
    try:
        data.mkdir(parents=True, exist_ok=True)
        # Linked into place whole, so that two processes that start together can't read half a key or make two.
        fresh = data / f"dashboard.key.{secrets.token_hex(8)}"
        if not path.exists():
            _write(fresh, secrets.token_bytes(_KEY_BYTES))
            try:
                with contextlib.suppress(FileExistsError):
                    os.link(fresh, path)
            finally:
                fresh.unlink()
        key = path.read_bytes()
        path.chmod(_OWNER_ONLY)
    except OSError as error:
        raise DataFolderError(f"{path}: can't be kept ({error.strerror}); check `data:` in the settings") from error
    if len(key) < _KEY_BYTES:
        raise DataFolderError(f"{path}: damaged; delete it (everybody has to sign in again)")
    return key


class SetupLink:
    """The link with which the first person chooses a name and password; it works once."""

    def __init__(self, data: Path) -> None:
        self._path = data / "setup-link.sha256"

    def renew(self) -> str:
        """A new token; an older one stops working. Raises DataFolderError."""
        token = secrets.token_urlsafe(32)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            _write(self._path, _hash(token))
        except OSError as error:
            raise DataFolderError(
                f"{self._path}: can't be written ({error.strerror}); check `data:` in the settings"
            ) from error
        return token

    def fits(self, token: str) -> bool:
        """Whether `token` is the one that works now."""
        try:
            return hmac.compare_digest(self._path.read_bytes(), _hash(token))
        except FileNotFoundError:
            return False

    def use(self, token: str) -> bool:
        """Use the token up: true for one caller only, however many try at once."""
        if not self.fits(token):
            return False
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def give_back(self, token: str) -> None:
        """Make a used token work again, since what it was used for failed."""
        with contextlib.suppress(FileExistsError):
            _write(self._path, _hash(token))


def _hash(token: str) -> bytes:
    # Plain SHA-256 is enough: the token has 256 random bits, nothing can be guessed.
    return hashlib.sha256(token.encode()).hexdigest().encode()


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
        file.write(content)
