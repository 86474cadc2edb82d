"""Class names of a source as labels of the catalogue; names that it lacks are kept under their own name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from models.labels import GYM_LABELS
from spotter.catalog import Catalog
from spotter.errors import SettingsError

MAX_LABEL = 64


class Names:
    """Gives every class name of a source its label, and gathers the labels in the order of a data set."""

    def __init__(self, catalog: Catalog, *, given: Mapping[str, str] | None = None, start: Sequence[str] = ()) -> None:
        """`given` maps names before the catalogue is asked; `start` are the labels of a data set to be added to."""
        self.labels: list[str] = list(start or GYM_LABELS)
        self._start = frozenset(self.labels)
        self.unknown: dict[str, str] = {}
        """Names that the catalogue lacks, and the label each was kept as."""
        self._catalog = catalog
        self._given = {_squash(name): label for name, label in (given or {}).items()}
        self._named: set[str] = set()
        self._pairs = dict(given or {})

    def label(self, name: str) -> str:
        """The label for `name`: as given, as the catalogue knows it by name or alias, or its own, made safe."""
        given = self._given.get(_squash(name))
        self._named.add(_squash(name))
        entry = self._catalog.find(given or name)
        if entry is not None:
            label = self._known_as(entry.label)
        elif given is not None:
            label = self._known_as(own_label(given))
            if label not in self._start:
                self.unknown[name] = label
        else:
            label = self.unknown[name] = self._known_as(self._own(name))
        if label not in self.labels:
            self.labels.append(label)
        return label

    @property
    def unused(self) -> list[str]:
        """Names that were given a label and that no label file has."""
        return [name for name in self._pairs if _squash(name) not in self._named]

    def _known_as(self, label: str) -> str:
        """What the data set calls `label`: it may hold `Kettlebell` from elsewhere."""
        if label in self.labels:
            return label
        return next((own for own in self.labels if self._meaning(own) == label), label)

    def _meaning(self, own: str) -> str:
        entry = self._catalog.find(own)
        return entry.label if entry else own_label(own)

    def _own(self, name: str) -> str:
        """A label for an unknown name that no other unknown name has."""
        label = own_label(name)
        own = _squash(name) or name
        taken = {other for known, other in self.unknown.items() if (_squash(known) or known) != own}
        number, unnumbered = 2, label
        while label in taken:
            label, number = f"{unnumbered[: MAX_LABEL - 4]}_{number}", number + 1
        return label

    def number(self, name: str) -> int:
        """The class number of `name`."""
        return self.labels.index(self.label(name))


def own_label(name: str) -> str:
    """A label made of a name: `BattleRope` and `battle rope` become `battle_rope`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    # Other scripts keep their letters, which may be all that tells two names apart.
    label = re.sub(r"[^\w.]+", "_", words.lower()).strip("_.-")
    return (label or "unnamed")[:MAX_LABEL]


def parse_given(pairs: Iterable[str]) -> dict[str, str]:
    """`NAME=label` pairs of the command line. Raises SettingsError for one without both sides."""
    given = {}
    for pair in pairs:
        name, _, label = pair.partition("=")
        if not name.strip() or not label.strip():
            raise SettingsError(f"--map {pair}: give the source's name and a label, such as --map Ball=med_ball")
        given[name.strip()] = label.strip()
    return given


def _squash(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
