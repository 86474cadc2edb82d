"""The rooms keep their distance: parts import `spotter`, never each other."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("pipeline", "consumers", "dashboard", "models")
SHAPELESS = {"utils.py", "helpers.py", "common.py", "misc.py"}


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("room", [*ROOMS, "spotter"])
def test_a_part_imports_spotter_and_no_other_part(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    others = set(ROOMS) - {room}
    for path in files:
        assert not imports_of(path) & others, path


def test_the_rule_would_notice(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from consumers.usage import x\n")
    assert imports_of(wrong) == {"consumers"}


def test_documents_link_to_what_is_there() -> None:
    files = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in files.splitlines():
        path = ROOT / name
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{name} links to {target}"


def test_every_module_says_what_it_is_for_and_none_is_shapeless() -> None:
    for room in [*ROOMS, "spotter"]:
        for path in (ROOT / room).rglob("*.py"):
            assert path.name not in SHAPELESS, path
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"
