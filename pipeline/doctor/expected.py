"""Makes `expected.json` again, after the shipped detector changed:  python -m pipeline.doctor.expected"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.capture import open_capture
from pipeline.doctor.dry_run import EXPECTED, clip_path
from spotter.detector import Detector
from spotter.settings import Camera
from spotter.weights import weights_path

AT = 1.0
CLEAR_SCORE = 0.5
"""Only what is clear is compared: fainter boxes come and go with the last bit."""


def expected() -> dict[str, Any]:
    """What is found at `AT` seconds of the clip."""
    weights = weights_path(None)
    capture = open_capture("doctor", Camera(uri=str(clip_path())))
    info = capture.open()
    while capture.grab() and capture.position < AT:
        pass
    found = Detector(weights, confidence=CLEAR_SCORE).detect([capture.retrieve()])[0]
    capture.close()
    assert found.confidence is not None
    size = [info.width, info.height, info.width, info.height]
    objects = [
        {
            "label": str(label),
            "score": round(float(score), 3),
            "box": [round(float(e) / s, 4) for e, s in zip(box, size, strict=True)],
        }
        for label, score, box in zip(found.data["class_name"], found.confidence, found.xyxy, strict=True)
    ]
    return {"at": AT, "weights": hashlib.sha256(weights.read_bytes()).hexdigest(), "objects": objects}


if __name__ == "__main__":
    EXPECTED.write_text(json.dumps(expected(), indent=1) + "\n", encoding="utf-8")
