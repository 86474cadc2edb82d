"""The whole chain on a real clip: its sessions are in the database, and on the page in Chromium."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from spotter.database.engine import open_database
from spotter.database.tables import UsageSessionRow
from spotter.embedded import servers
from spotter.events import seconds_between

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"
CLIP = CLIPS / "people-one-by-one.mp4"

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CLIP.is_file(), reason="the real clips are not beside the project (../shared/data)"),
]

TOLERANCE_SECONDS = 1.5
"""The clip plays in real time and is looked at five times a second on a busy machine."""


def test_three_people_one_after_another_are_three_sessions(
    start: Callable[..., Any], browser: Any, sign_up: Callable[..., None], tmp_path: Path
) -> None:
    gym = yaml.safe_load(CLIP.with_suffix(".gym.yaml").read_text())
    gym["cameras"]["clip"]["uri"] = str(CLIP)
    # The clip ends as the last one's session is about to: the camera's silence ends it, which need not take a minute.
    gym["rules"]["camera_lost_after"] = 5
    gym["dashboard"] = {"port": servers.free_port()}
    (tmp_path / "gym.yaml").write_text(yaml.safe_dump(gym))
    chain = start("up", cwd=tmp_path)
    link = chain.printed(r"Set up Spotter: (http\S+)")[1]
    address = chain.printed(r"Dashboard: (http\S+)")[1].rstrip("/")

    truth = json.loads(CLIP.with_suffix(".truth.json").read_text())["sessions"]
    engine = open_database(f"sqlite:///{tmp_path}/spotter-data/spotter.db")

    def ended() -> list[UsageSessionRow]:
        with Session(engine) as session:
            rows = session.scalars(select(UsageSessionRow).order_by(UsageSessionRow.started_at)).all()
        return list(rows) if len(rows) >= len(truth) and all(row.ended_at for row in rows) else []

    rows = chain.eventually(ended, 150, f"not {len(truth)} ended sessions")
    assert [row.unit for row in rows] == ["spot-1"] * len(truth)
    began = rows[0].started_at
    for row, true in zip(rows, truth, strict=True):
        assert seconds_between(began, row.started_at) == pytest.approx(
            true["start"] - truth[0]["start"], abs=TOLERANCE_SECONDS
        )
        assert seconds_between(row.started_at, row.ended_at) == pytest.approx(
            true["end"] - true["start"], abs=TOLERANCE_SECONDS
        )

    page = browser.new_page()
    sign_up(page, link)
    page.goto(address + "/sessions")
    assert page.locator("tbody tr").count() == len(truth)
    assert "spot-1" in page.locator("tbody").inner_text()
