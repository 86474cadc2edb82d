"""`spotter` as a program, with stand-ins in the place of NVIDIA's elements and bindings."""

from __future__ import annotations

import sys

import onnxruntime as onnxruntime  # first: loaded behind the stand-ins, its exceptions end the process

from pipeline.deepstream import strict_pyds
from spotter.cli import main

from ..staging import ColourDetector
from . import stand_ins

if __name__ == "__main__":
    stand_ins.register()
    stand_ins.Source.kept = False
    detector = ColourDetector()
    stand_ins.finders.append(lambda image: detector.find([image])[0])
    sys.modules["pyds"] = strict_pyds.module()
    main()
