"""A detector file that says the same of every picture, for tests that need a whole process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LABELS = ["person", "kettlebell"]


def write_weights(path: Path) -> Path:
    """One person and one kettlebell, always in the same places of a 64-pixel input."""
    rows = np.zeros((1, 4, 5 + len(LABELS)), dtype=np.float32)
    rows[0, 0] = [20, 32, 12, 24, 0.9, 1, 0]
    rows[0, 1] = [48, 40, 6, 6, 0.8, 0, 1]
    nodes = [
        helper.make_node("Shape", ["images"], ["shape"], start=0, end=1),
        helper.make_node("Concat", ["shape", "rest"], ["target"], axis=0),
        helper.make_node("Expand", ["rows", "target"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 64, 64])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 4, 5 + len(LABELS)])],
        [
            numpy_helper.from_array(rows, "rows"),
            numpy_helper.from_array(np.array(rows.shape[1:], dtype=np.int64), "rest"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": json.dumps(LABELS), "size": "64"})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
