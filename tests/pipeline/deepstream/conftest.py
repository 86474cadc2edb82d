from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.deepstream import strict_pyds

from ..staging import ColourDetector, write_clip
from ..weights import write_weights

if TYPE_CHECKING:  # they need GStreamer
    from .rig import Running

with contextlib.suppress(ImportError):  # first: loaded behind the stand-ins, its exceptions end the process
    import onnxruntime as onnxruntime

with contextlib.suppress(ImportError, ValueError):  # where GStreamer is: before any of its own elements is made, for
    from . import stand_ins as stand_ins  # the classes that the stand-ins extend stay incomplete otherwise


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from .rig import visit

    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", 8, visit)


@pytest.fixture
def nvidia(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand-ins in the place of NVIDIA's elements and bindings."""
    from . import stand_ins

    stand_ins.register()
    stand_ins.built.clear()
    detector = ColourDetector()
    stand_ins.finders.append(lambda image: detector.find([image])[0])
    monkeypatch.setitem(sys.modules, "pyds", strict_pyds.module())
    monkeypatch.delenv("USE_NEW_NVSTREAMMUX", raising=False)
    yield
    stand_ins.finders.pop()


@pytest.fixture
def run(nvidia: None, tmp_path: Path) -> Iterator[Callable[[str], Running]]:
    from .rig import Running, settings_of

    running: list[Running] = []
    write_weights(tmp_path / "model.onnx")

    def begin(text: str) -> Running:
        running.append(Running(settings_of(tmp_path, text)))
        return running[-1]

    yield begin
    for one in running:
        one.engine.stop(5)
