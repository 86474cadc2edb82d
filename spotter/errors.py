"""The errors that Spotter raises on purpose: each says what is wrong, where, and the mend."""

from __future__ import annotations

import sys


def install(extra: str) -> str:
    """The command that adds an extra's packages to this very installation."""
    return f"{sys.executable} -m pip install 'spotter[{extra}]'"


class SpotterError(Exception):
    """Something failed in a way that a person can mend; its text is one line for them to read."""

    exit_code = 1


class SettingsError(SpotterError):
    """The settings, or the way a command was called, are wrong. `problems` holds one line for each mistake."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class MissingExtraError(SpotterError):
    """A part is used whose optional packages are not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, extra)  # as they came, so that it can be raised in another process

    def __str__(self) -> str:
        what, extra = self.args
        return f"{what} needs packages that are not installed; run: {install(extra)}"


class WeightsError(SpotterError):
    """A weights file is missing, damaged, or not a detector."""


class CameraError(SpotterError):
    """A camera or file gives no frames."""


class LogInRefusedError(CameraError):
    """A camera refuses the log-in: trying it often makes many cameras lock the account."""


class ServerError(SpotterError):
    """A broker, Redis or database can't be started or reached."""


class ContractError(SpotterError):
    """A message does not follow the event contract."""
