"""The pipeline is killed in mid-session: the rows are those of the loop before, in which nothing happened."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from spotter.embedded import servers

pytestmark = pytest.mark.timeout(400)

DEMO = Path(__file__).parents[2] / "spotter" / "demo"
LOOP_SECONDS = 40
"""Twenty seconds of the demo at half speed: a session has to outlive a restart on the slowest machine."""

EDGE_SECONDS = 1.5
"""What two passes over the same pictures may differ by: which frames are looked at is chance."""

Row = tuple[datetime, datetime | None]


def cut(clip: str, begin: float, into: Path) -> None:
    slow = f"setpts=2*PTS,fps=8,trim=duration={LOOP_SECONDS}"
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg (apt install ffmpeg)")
    subprocess.run(
        ["ffmpeg", "-v", "error", "-ss", str(begin), "-t", "20", "-i", str(DEMO / clip), "-vf", slow, str(into)],
        check=True,
    )


@pytest.fixture
def gym(tmp_path: Path) -> Path:
    cut("cardio.mp4", 2, tmp_path / "cardio.mp4")
    cut("free-weights.mp4", 22, tmp_path / "floor.mp4")
    zones = yaml.safe_load((DEMO / "gym.yaml").read_text())["cameras"]
    treadmill = {"treadmill-1": zones["cardio"]["zones"]["treadmill-1"]}
    settings = {
        "cameras": {
            "cardio": {"uri": "cardio.mp4", "loop": True, "zones": treadmill},
            "floor": {"uri": "floor.mp4", "loop": True, "zones": zones["free-weights"]["zones"]},
        },
        "rules": {"leave_after": 5, "rest_after": 5},
        "dashboard": {"port": servers.free_port()},
    }
    (tmp_path / "gym.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


def sessions(folder: Path, equipment: str) -> list[Row]:
    path = folder / "spotter-data" / "spotter.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        query = "SELECT started_at, ended_at FROM usage_sessions WHERE equipment = ? ORDER BY started_at"
        rows = database.execute(query, (equipment,)).fetchall()
    return [(datetime.fromisoformat(begin), datetime.fromisoformat(end) if end else None) for begin, end in rows]


def test_rows_of_a_killed_pipeline_are_those_of_an_undisturbed_one(gym: Path, start: Callable[..., Any]) -> None:
    chain = start("up", "--config", "gym.yaml", cwd=gym)
    chain.printed("Dashboard: ", 120)  # by then the tables are there
    used = ("treadmill", "foam_roller")

    def passes(number: int, *, ended: bool) -> Callable[[], bool]:
        """Whether each piece has begun, or ended, its session of the loop's pass `number`."""

        def look() -> bool:
            found = {name: sessions(gym, name) for name in used}
            return all(len(rows) >= number and (not ended or rows[number - 1][1]) for rows in found.values())

        return look

    chain.eventually(passes(1, ended=True), 150, "no sessions in the first pass")
    chain.eventually(passes(2, ended=False), 90, "no sessions in the second pass")
    os.kill(chain.child("pipeline").pid, signal.SIGKILL)
    assert not passes(2, ended=True)()
    chain.eventually(passes(2, ended=True), 90, "no session outlived the pipeline")

    for name in used:
        first, again = sessions(gym, name)[:2]
        for quiet, disturbed in zip(first, again, strict=True):
            assert quiet is not None
            assert disturbed is not None
            assert abs((disturbed - quiet).total_seconds() - LOOP_SECONDS) < EDGE_SECONDS, (name, first, again)
