"""What DeepStream's elements have, by version, and whether a graph asks for anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from pipeline.deepstream.graph import Graph, Setting, settings_of

VERSIONS = ("7.1", "9.1")

_FOLDER = Path(__file__).parent / "properties"


@dataclass(frozen=True, slots=True)
class Listed:
    """A property as a list states it."""

    kind: str
    """uint, int, uint64, boolean, string, enum or pointer."""
    bounds: tuple[int, ...] = ()
    """Least and greatest value; of an enum, all values."""

    def refusal(self, value: bool | int | str) -> str | None:
        """Why it does not take this value, if it does not."""
        fitting = {"boolean": bool, "string": str}.get(self.kind, int)
        if not isinstance(value, fitting) or (fitting is int and isinstance(value, bool)):
            return f"is a {self.kind}, not {value!r}"
        if self.kind == "enum" and value not in self.bounds:
            return f"is one of {', '.join(map(str, self.bounds))}, not {value}"
        if self.kind in ("uint", "int", "uint64") and not self.bounds[0] <= int(value) <= self.bounds[1]:
            return f"goes from {self.bounds[0]} to {self.bounds[1]}, not {value}"
        return None


@lru_cache(maxsize=len(VERSIONS))
def properties(version: str) -> Mapping[str, Mapping[str, Listed]]:
    """By element (the muxers are `nvstreammux.old` and `nvstreammux.new`) and property."""
    stated = yaml.safe_load((_FOLDER / f"deepstream-{version}.yaml").read_text(encoding="utf-8"))["elements"]
    return {
        element: {name: Listed(text.split()[0], tuple(map(int, text.split()[1:]))) for name, text in own.items()}
        for element, own in stated.items()
    }


@lru_cache(maxsize=1)
def infer_keys() -> frozenset[str]:
    """The keys that nvinfer's configuration may have."""
    stated = yaml.safe_load((_FOLDER / "nvinfer-keys.yaml").read_text(encoding="utf-8"))
    return frozenset(stated["keys"])


def list_name(kind: str, *, new_mux: bool) -> str:
    """Under which name an element is listed."""
    return f"nvstreammux.{'new' if new_mux else 'old'}" if kind == "nvstreammux" else kind


def problems(graph: Graph, version: str) -> list[str]:
    """What NVIDIA's elements of this version would refuse, a line each."""
    listed = properties(version)
    found = []
    for element, setting in settings_of(graph):
        name = list_name(element.kind, new_mux=graph.new_mux)
        if name in listed and (problem := _problem(listed[name], setting)):
            found.append(f"DeepStream {version}: {element.name} ({name}): {setting.name} {problem}")
    return found


def _problem(own: Mapping[str, Listed], setting: Setting) -> str | None:
    known = own.get(setting.name)
    if known is None:
        return None if setting.optional else "does not exist"
    return known.refusal(setting.value)
