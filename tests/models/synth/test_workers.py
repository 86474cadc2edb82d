"""Work shared out to processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from models.synth.workers import each
from spotter.errors import MissingExtraError


def note(number: int, folder: Path) -> None:
    if number < 0:
        raise ValueError("a negative number")
    (folder / str(number)).write_text(str(os.getpid()))


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_number_is_worked_on_once_and_errors_come_back(tmp_path: Path, jobs: int) -> None:
    work = partial(note, folder=tmp_path)
    assert len(list(each(work, range(4), jobs))) == 4
    makers = {path.read_text() for path in tmp_path.iterdir()}
    assert (str(os.getpid()) in makers) == (jobs == 1)
    assert len(list(tmp_path.iterdir())) == 4
    with pytest.raises(ValueError, match="a negative number"):
        list(each(work, [5, -1], jobs))


def lack(_: int) -> None:
    raise MissingExtraError("rendering", "synth")


def test_what_a_process_lacks_is_said() -> None:
    with pytest.raises(MissingExtraError, match=r"rendering needs packages .* 'spotter\[synth\]'"):
        list(each(lack, [1], 2))


def linger(number: int, folder: Path) -> None:
    note(number, folder)
    time.sleep(300)


def test_processes_end_with_one_that_is_killed(tmp_path: Path) -> None:
    asked = "from functools import partial; from pathlib import Path; from tests.models.synth.test_workers import *; "
    asked += "list(each(partial(linger, folder=Path(sys.argv[1])), range(2), 2))"
    parent = subprocess.Popen([sys.executable, "-c", asked, str(tmp_path)], cwd=Path(__file__).parents[3])
    try:
        until(lambda: len(list(tmp_path.iterdir())) == 2 and all(path.read_text() for path in tmp_path.iterdir()))
    finally:
        parent.kill()
        parent.wait()
    makers = [int(path.read_text()) for path in tmp_path.iterdir()]
    until(lambda: not any(is_alive(pid) for pid in makers))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
