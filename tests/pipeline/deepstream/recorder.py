"""`spotter record` by the DeepStream engine over its stand-ins, whose nvinfer finds what the shipped detector finds.

`python -m tests.pipeline.deepstream.recorder gym.yaml scenes.jsonl`, with one camera, which is a file that ends: it
plays as fast as the machine allows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnxruntime as onnxruntime  # first: loaded behind the stand-ins, its exceptions end the process

from pipeline.deepstream import strict_pyds
from pipeline.deepstream.graph import SINK
from pipeline.detection import open_finder
from spotter.settings import load

from . import stand_ins
from .rig import Running, until


def main(config: Path, out: Path) -> None:
    settings = load(config)
    (name,) = settings.cameras
    finder = open_finder(settings)
    stand_ins.register()
    stand_ins.Source.paced = False
    stand_ins.finders.append(lambda image: finder.find(finder.prepare([image]))[0])
    sys.modules["pyds"] = strict_pyds.module()
    running = Running(settings)
    graph = until(lambda: running.engine._graph)
    graph._pipeline.get_by_name(SINK).set_property("sync", False)
    until(lambda: running.source(name).state.phase == "ended")
    running.engine.stop(5)
    scenes = (draft.numbered("01KAMR3Q8S4Z", seq, 0) for seq, draft in enumerate(running.drafts[name]))
    out.write_bytes(b"".join(scene.to_json() + b"\n" for scene in scenes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
