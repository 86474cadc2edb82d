"""The demo footage: `python -m models.synth.demo --out DIR` renders the clips, their true times and `gym.yaml`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from models.synth.clip_cardio import cardio
from models.synth.clip_free_weights import free_weights
from models.synth.clip_kiosk import kiosk
from models.synth.clips import Clip
from models.synth.film import HEIGHT, WIDTH, Film, Frame, encode
from models.synth.truth import Look, truth_of

CLIPS: dict[str, Callable[[], Clip]] = {"cardio": cardio, "free-weights": free_weights, "kiosk": kiosk}
RULES = {"enter_after": 2, "leave_after": 4, "use_after": 1, "rest_after": 4, "lost_after": 4}


def looks_of(clip: Clip, frames: list[Frame]) -> list[Look]:
    """The frames as the truth rules read them."""
    looks = []
    for frame in frames:
        people = tuple(seen.box for seen in frame.seen if seen.label == "person")
        items = {seen.name: seen.box for seen in frame.seen if seen.label != "person"}
        placed = {name: clip.prop_at(name, frame.seconds) for name in clip.props}
        held = frozenset(name for name, found in placed.items() if found is not None and found[1])
        looks.append(Look(frame.seconds, people, items, held))
    return looks


def truth_for(clip: Clip, frames: list[Frame]) -> dict[str, object]:
    """The truth file of a clip."""
    labels = {name: prop.item.label for name, prop in clip.props.items()}
    hands_on = {name: [(start, end) for start, end, _, _ in prop.held] for name, prop in clip.props.items()}
    return truth_of(looks_of(clip, frames), clip.zones, labels, hands_on, clip.held_up)


def gym_yaml(clips: list[Clip]) -> str:
    """The settings of the demo gym."""
    lines = [
        "# The demo gym: rendered cameras that play their files again and again.",
        "# Written by `python -m models.synth.demo`; the thresholds suit clips of half a minute, not a real gym.",
        "site: demo",
        "cameras:",
    ]
    for clip in clips:
        lines += [f"  {clip.name}:", f"    uri: {clip.name}.mp4", "    loop: true", "    zones:"]
        for name, zone in clip.zones.items():
            lines.append(f"      {name}: {json.dumps(zone).replace(chr(34), '')}")
    lines += [f"rules: {json.dumps(RULES).replace(chr(34), '')}", ""]
    return "\n".join(lines)


def labels_of(frames: list[Frame], fps: float) -> dict[str, object]:
    """Exact boxes of every frame, relative."""
    return {
        "size": [WIDTH, HEIGHT],
        "fps": fps,
        "frames": [
            [{"name": seen.name, "label": seen.label, "box": list(seen.box)} for seen in frame.seen] for frame in frames
        ],
    }


def shoot(clip: Clip, fps: float, out: Path, labels: Path | None) -> None:
    """Render one clip and write it with its truth."""
    import cv2

    with tempfile.TemporaryDirectory(prefix="spotter-demo-") as folder:
        frames = []
        with click.progressbar(Film(clip).frames(fps), length=round(clip.seconds * fps), label=clip.name) as pictures:
            for number, frame in enumerate(pictures):
                cv2.imwrite(str(Path(folder) / f"{number:05d}.png"), cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR))
                frames.append(frame)
        encode(Path(folder), fps, out / f"{clip.name}.mp4")
    truth = json.dumps(truth_for(clip, frames), indent=1)
    (out / f"{clip.name}.truth.json").write_text(truth + "\n")
    if labels is not None:
        labels.mkdir(parents=True, exist_ok=True)
        (labels / f"{clip.name}.labels.json").write_text(json.dumps(labels_of(frames, fps)))


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the clips and gym.yaml.")
@click.option("--only", type=click.Choice(list(CLIPS)), multiple=True, help="Render only these clips.")
@click.option("--fps", type=float, help="Pictures a second; left out, each clip's own.")
@click.option("--labels", type=click.Path(path_type=Path), help="Folder for the exact boxes of every frame.")
def main(out: Path, only: tuple[str, ...], fps: float | None, labels: Path | None) -> None:
    """Render the demo clips with their true times."""
    out.mkdir(parents=True, exist_ok=True)
    clips = {name: make() for name, make in CLIPS.items()}
    (out / "gym.yaml").write_text(gym_yaml(list(clips.values())))
    for name in only or tuple(clips):
        shoot(clips[name], fps or clips[name].fps, out, labels)


if __name__ == "__main__":
    main()
