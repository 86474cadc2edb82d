"""The command line: help without extras, errors on one line, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = (
    *("up", "demo", "pipeline", "ingest", "usage", "dashboard", "config", "camera", "record", "replay", "truth"),
    *("rules", "events", "dead", "user", "db", "model", "bench"),
)


def spotter(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spotter", *arguments], capture_output=True, text=True, cwd=cwd, timeout=60, check=False
    )


def test_help_lists_every_command_and_imports_none_of_the_extras() -> None:
    code = (
        "import sys; from spotter.cli import cli; cli.main(['--help'], standalone_mode=False); "
        "heavy = {'numpy', 'cv2', 'onnxruntime', 'torch', 'flask', 'sqlalchemy', 'redis'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = spotter(command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["nonsense"], 2, "No such command"),
        (["config", "check", "absent.yaml"], 2, "absent.yaml: no such settings file"),
        (["up", "--config", "absent.yaml"], 2, "absent.yaml: no such settings file"),
        (["config", "check", "bad.yaml"], 2, "bad.yaml:2: sit: unknown setting; did you mean `site`?"),
        (["config", "check", "gone.yaml"], 2, "no such file"),
        (["up", "--config", "empty.yaml"], 2, "no camera"),
        (["events", "tail", "--topic", "spotter/#/scene"], 2, "'spotter/#/scene' is no topic filter"),
    ],
)
def test_errors_are_one_line_with_the_right_exit_code(
    arguments: list[str], code: int, text: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text("uri: 0\nsit: a\n")
    (tmp_path / "gone.yaml").write_text("uri: gone.mp4\n")
    (tmp_path / "empty.yaml").write_text("site: a\n")
    done = spotter(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = spotter("--debug", "config", "check", "absent.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
