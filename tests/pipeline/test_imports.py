from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"cv2", "numpy", "onnxruntime", "supervision", "trackers"}


@pytest.mark.parametrize("module", ["scene", "outbox", "keeper", "delivery", "publisher", "health", "stream_id"])
def test_what_follows_from_scenes_on_needs_nothing_of_the_cpu_engine(module: str) -> None:
    code = f"import sys, pipeline.{module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)
