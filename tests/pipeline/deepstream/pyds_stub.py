"""Reads classes, their fields and the functions of pyds out of the `pyds-stubs` package, and writes `pyds_fields.json`.

Run it to make the file again:  python -m tests.pipeline.deepstream.pyds_stub
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
from pathlib import Path

from pipeline.deepstream.strict_pyds import FIELDS

CLASSES = ("NvDsBatchMeta", "NvDsFrameMeta", "NvDsObjectMeta", "NvOSD_RectParams")
FUNCTIONS = ("get_nvds_buf_surface", "gst_buffer_get_nvds_batch_meta", "unmap_nvds_buf_surface")


def stub() -> Path | None:
    """The stub file, where the package is installed."""
    try:
        files = importlib.metadata.files("pyds-stubs") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.name == "stub.pyi"), None)


def read(path: Path) -> dict[str, dict[str, str]]:
    """By class its fields and their types as written; functions under `functions`."""
    found: dict[str, dict[str, str]] = {"functions": {}}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name in CLASSES:
            found[node.name] = {
                part.target.id: ast.unparse(part.annotation)
                for part in node.body
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
            }
        elif isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS:
            found["functions"][node.name] = ", ".join(
                f"{one.arg}: {ast.unparse(one.annotation)}" for one in node.args.args if one.annotation
            )
    return found


if __name__ == "__main__":
    path = stub()
    assert path is not None, "install pyds-stubs first: make check"
    FIELDS.write_text(json.dumps(read(path), indent=1, sort_keys=True) + "\n", encoding="utf-8")
