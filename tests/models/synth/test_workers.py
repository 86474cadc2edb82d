"""Work shared out to processes."""

from __future__ import annotations

import os
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
