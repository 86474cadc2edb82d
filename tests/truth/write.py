"""Writes the scenarios as files: `python -m tests.truth.write FOLDER`, then `spotter truth FOLDER/NAME.jsonl …`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from spotter.settings import loads

from .scenarios import ALL


def write(folder: Path) -> None:
    """NAME.jsonl, NAME.truth.json and NAME.gym.yaml of each scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, scenario_of in ALL.items():
        scenario = scenario_of()
        settings = loads(scenario.gym, base=folder, environment={})
        scenes = scenario.disturb(scenario.stage.film(settings))
        (folder / f"{name}.jsonl").write_bytes(b"".join(scene.to_json() + b"\n" for scene in scenes))
        (folder / f"{name}.truth.json").write_text(json.dumps(scenario.stage.truth(settings), indent=1) + "\n")
        (folder / f"{name}.gym.yaml").write_text(scenario.gym)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
