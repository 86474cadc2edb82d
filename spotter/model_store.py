"""The detectors of an installation: a folder for each, a file that says which one is in use.

```
spotter-data/models/
    in-use.json            {"model": "spring-2027", "before": ["shipped"]}
    spring-2027/model.onnx, card.json, scores.json, SHA256
```

A running pipeline watches `in-use.json`, which is replaced in one step.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spotter.errors import SettingsError, SpotterError, WeightsError
from spotter.events import NAME_PATTERN, describe

SHIPPED = "shipped"
"""The name of the detector that comes with Spotter."""

FOLDER = "models"
WEIGHTS, CARD, SCORES, HASH, POINTER = "model.onnx", "card.json", "scores.json", "SHA256", "in-use.json"

MOST_REMEMBERED = 20


class ModelCard(BaseModel):
    """What a detector is and where it is from."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    labels: tuple[str, ...]
    named: tuple[str, ...] = Field((), description="what its maker called the classes")
    size: int = Field(description="side of the input, in pixels")
    architecture: str = "unknown"
    licence: str = "unknown"
    source: str = Field("", description="the file that it was made from, and how")
    added: datetime


class InUse(BaseModel):
    """Which detector is in use, and which were before, the latest last."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str = SHIPPED
    before: tuple[str, ...] = ()


class ModelStore:
    """The detectors in a folder. Every method raises WeightsError, naming the model, where one can't be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pointer = folder / POINTER

    def names(self) -> list[str]:
        """Every detector added, by name."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{CARD}"))

    def card(self, name: str) -> ModelCard:
        """What is known of a detector."""
        path = self._place(name) / CARD
        try:
            return ModelCard.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            has = ", ".join([*self.names(), SHIPPED])
            raise WeightsError(f"model {name!r}: not in {self.folder} (there are: {has})") from None
        except (OSError, ValidationError) as error:
            cause = describe(error) if isinstance(error, ValidationError) else str(error)
            raise WeightsError(f"model {name!r}: its {CARD} is damaged ({cause}); import it again") from None

    def scores(self, name: str) -> dict[str, Any] | None:
        """What it scored when it was added, where it was measured."""
        try:
            content = json.loads((self._place(name) / SCORES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def weights(self, name: str) -> Path:
        """The ONNX file of a detector, checked against its hash."""
        self.card(name)
        path = self._place(name) / WEIGHTS
        if not self.is_intact(name):
            raise WeightsError(f"model {name!r}: {path} is missing or was changed since it was added; import it again")
        return path

    def is_intact(self, name: str) -> bool:
        """Whether the weights are still those that were added."""
        folder = self._place(name)
        try:
            return (folder / HASH).read_text(encoding="utf-8").split()[0] == hash_of(folder / WEIGHTS)
        except (OSError, IndexError):
            return False

    def add(
        self,
        card: ModelCard,
        weights: Path,
        scores: dict[str, Any] | None = None,
        *,
        replace: bool = False,
        try_out: Callable[[Path], object] = lambda _: None,
    ) -> Path:
        """Take in a detector: its file is copied, and changes nothing where `try_out` raises on the copy.

        Raises SettingsError for a name that is taken or can't be one.
        """
        name = card.name
        if not re.fullmatch(NAME_PATTERN, name) or name in (SHIPPED, POINTER):
            raise SettingsError(
                f"model name {name!r}: give it another with --name: letters, digits, dot, dash and underscore, not "
                f"{SHIPPED!r}"
            )
        target = self._place(name)
        if target.exists() and not replace:
            raise SettingsError(f"model {name!r}: there is one of this name; choose another --name, or --replace it")
        # Made beside its place and moved there whole: a reader never meets half a model.
        making = self.folder / f".{name}.new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        shutil.copyfile(weights, making / WEIGHTS)
        try:
            try_out(making / WEIGHTS)
        except SpotterError:
            shutil.rmtree(making)
            raise
        (making / CARD).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
        if scores is not None:
            (making / SCORES).write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
        (making / HASH).write_text(f"{hash_of(making / WEIGHTS)}  {WEIGHTS}\n", encoding="utf-8")
        old = self.folder / f".{name}.old"
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        making.rename(target)
        shutil.rmtree(old, ignore_errors=True)
        if self.in_use().model == name:
            self._point(self.in_use())  # its weights are others now: pipelines take it up again
        return target

    def in_use(self) -> InUse:
        """Which detector is in use."""
        try:
            return InUse.model_validate_json(self.pointer.read_bytes())
        except FileNotFoundError:
            return InUse()
        except (OSError, ValidationError) as error:
            raise WeightsError(
                f"{self.pointer}: damaged ({str(error).splitlines()[0]}); run `spotter model use`"
            ) from None

    def use(self, name: str) -> None:
        """Use a detector from now on."""
        if name != SHIPPED:
            self.weights(name)
        try:
            before = self.in_use()
        except WeightsError:
            before = InUse()  # using one is the mend for a damaged pointer
        if before.model != name:
            self._point(InUse(model=name, before=(*before.before, before.model)[-MOST_REMEMBERED:]))

    def roll_back(self) -> str:
        """Use the detector that was in use before; gives its name. Raises SettingsError where there was none."""
        now = self.in_use()
        if not now.before:
            raise SettingsError(f"{self.folder}: no model was in use before {now.model!r}")
        name = now.before[-1]
        if name != SHIPPED:
            self.weights(name)
        self._point(InUse(model=name, before=now.before[:-1]))
        return name

    def chosen(self) -> Path | None:
        """The weights in use; None for the shipped ones."""
        name = self.in_use().model
        return None if name == SHIPPED else self.weights(name)

    def version(self) -> tuple[int, int] | None:
        """Changes whenever another detector is to be used."""
        try:
            status = self.pointer.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def _place(self, name: str) -> Path:
        if not re.fullmatch(NAME_PATTERN, name):
            raise WeightsError(f"model {name!r}: not a model's name")
        return self.folder / name

    def _point(self, content: InUse) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.pointer.with_suffix(".new")
        new.write_text(content.model_dump_json() + "\n", encoding="utf-8")
        new.replace(self.pointer)


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def now() -> datetime:
    """The time for a new card, to the second."""
    return datetime.now(timezone.utc).replace(microsecond=0)
