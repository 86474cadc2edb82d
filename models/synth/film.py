"""Filming a clip: the still room once in high quality, then only the window where something moves, frame by frame."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.synth.boxes import Visible, outline_area_px, visible_boxes, worth_a_label
from models.synth.clips import ASPECT, Clip
from models.synth.meshes import Floats, Pixels
from models.synth.stage import Picture, Stage
from spotter.errors import SpotterError

WIDTH, HEIGHT = 640, 360
STILL_SAMPLES, MOVING_SAMPLES = 48, 6
MARGIN_PX = 14  # round what moves, for its shadow
SAME_LEVELS, OTHER_LEVELS = 5.0, 14.0  # difference of colour below and above which a pixel is still, or moved


@dataclass(frozen=True)
class Seen:
    """A labelled thing in one frame; the box is relative."""

    name: str
    label: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Frame:
    """One finished frame: RGB, and what it truly shows."""

    seconds: float
    rgb: Pixels
    seen: tuple[Seen, ...]


Window = tuple[int, int, int, int]


def merged(windows: list[Window]) -> list[Window]:
    """Windows (x1, y1, x2, y2) of which none overlaps another: those that do become one round both."""
    apart: list[Window] = []
    for window in windows:
        for other in [one for one in apart if _meet(one, window)]:
            apart.remove(other)
            left, top = min(window[0], other[0]), min(window[1], other[1])
            window = (left, top, max(window[2], other[2]), max(window[3], other[3]))
        apart.append(window)
    return apart if len(apart) == len(windows) else merged(apart)


def _meet(one: Window, other: Window) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class Film:
    """Renders one clip."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.stage = Stage(WIDTH, HEIGHT, samples=MOVING_SAMPLES)
        self.stage.sky((0.85, 0.9, 1.0), clip.sky)
        self.stage.look(clip.camera)
        for mesh in clip.scenery:
            self.stage.add(mesh)
        for lamp in clip.lamps:
            self.stage.light(lamp.place, lamp.target, lamp.size, lamp.watts, lamp.colour)
        self.numbers = {name: number for number, name in enumerate([*clip.people, *clip.props], start=1)}
        self.labels = dict.fromkeys(clip.people, "person") | {name: p.item.label for name, p in clip.props.items()}
        self._things: dict[str, Any] = {}
        for name, (person, _) in clip.people.items():
            self._things[name] = self.stage.add(person.mesh_at_rest, self.numbers[name])
        for name, prop in clip.props.items():
            self._things[name] = self.stage.add(prop.item.mesh, self.numbers[name])
        self._stills: dict[tuple[tuple[str, float], ...], Picture] = {}

    def frames(self, fps: float, start: float = 0.0, end: float | None = None) -> Iterator[Frame]:
        """Every frame of the clip, or of a part of it in seconds."""
        last = self.clip.seconds if end is None else end
        for number in range(round(start * fps), round(last * fps)):
            yield self.frame(number / fps)

    def frame(self, seconds: float) -> Frame:
        """The frame at a time."""
        moving: dict[str, Floats] = {}
        resting: list[tuple[str, float]] = []
        outlines: dict[str, Floats] = {}
        for name, (person, _) in self.clip.people.items():
            found = self.clip.posed(name, seconds)
            if found is not None:
                stand, posed = found
                moving[name] = person.mesh(posed).vertices @ stand.turn.T + stand.shift
        for name, prop in self.clip.props.items():
            placed = self.clip.prop_at(name, seconds)
            if placed is None:
                continue
            (turn, shift), held = placed
            vertices = prop.item.mesh.vertices @ turn.T + shift
            if held:
                moving[name] = vertices
            else:
                outlines[name] = vertices
                resting.append((name, round(float(vertices.sum()), 3)))
        outlines |= moving
        still = self._still(seconds, tuple(resting))
        rgb, index = still.rgba[..., :3].copy(), still.index.copy()
        self._set(moving, {name for name, _ in resting})
        for window in self._windows(moving):
            x1, y1, x2, y2 = window
            self.stage.crop((x1 / WIDTH, y1 / HEIGHT, x2 / WIDTH, y2 / HEIGHT))
            self.stage.samples = MOVING_SAMPLES
            part = self.stage.render(seed=1)
            rgb[y1:y2, x1:x2] = _settled(part, rgb[y1:y2, x1:x2], index[y1:y2, x1:x2], window)
            index[y1:y2, x1:x2] = part.index
        return Frame(seconds, rgb, self._labels(index, outlines))

    def _still(self, seconds: float, resting: tuple[tuple[str, float], ...]) -> Picture:
        """The room with what rests in it, without anybody."""
        if resting not in self._stills:
            for name, _ in resting:
                placed = self.clip.prop_at(name, seconds)
                assert placed is not None
                self.stage.place(self._things[name], *placed[0])
            self._set({}, {name for name, _ in resting})
            self.stage.crop(None)
            self.stage.samples = STILL_SAMPLES
            self._stills[resting] = self.stage.render()
        else:
            for name, _ in resting:
                placed = self.clip.prop_at(name, seconds)
                assert placed is not None
                self.stage.place(self._things[name], *placed[0])
        return self._stills[resting]

    def _set(self, moving: dict[str, Floats], resting: set[str]) -> None:
        """Show what is in the picture, with the moving things where they are now."""
        for name, thing in self._things.items():
            self.stage.show(thing, name in moving or name in resting)
            if name in moving:
                self.stage.reshape(thing, moving[name])
                self.stage.place(thing, np.eye(3), (0, 0, 0))
            elif name in self.clip.props:
                self.stage.reshape(thing, self.clip.props[name].item.mesh.vertices)

    def _windows(self, moving: dict[str, Floats]) -> list[Window]:
        """The pixels round everything that moves and its shadow on the floor; what is far apart has its own."""
        windows: list[Window] = []
        for points in moving.values():
            shadow = points * np.array([1.0, 1.0, 0.0])
            places = self.clip.camera.project(np.concatenate([points, shadow]), ASPECT)
            places = places[places[:, 2] > 0.05]
            if len(places) == 0:
                continue
            x1, y1 = places[:, :2].min(axis=0) * [WIDTH, HEIGHT] - MARGIN_PX
            x2, y2 = places[:, :2].max(axis=0) * [WIDTH, HEIGHT] + MARGIN_PX
            window = (max(int(x1), 0), max(int(y1), 0), min(int(x2), WIDTH), min(int(y2), HEIGHT))
            if window[2] - window[0] > 2 * MARGIN_PX and window[3] - window[1] > 2 * MARGIN_PX:
                windows.append(window)
        return merged(windows)

    def _labels(self, index: NDArray[np.int32], outlines: dict[str, Floats]) -> tuple[Seen, ...]:
        boxes: dict[int, Visible] = visible_boxes(index)
        found = []
        for name, vertices in outlines.items():
            shown = boxes.get(self.numbers[name])
            if shown is None:
                continue
            outline = outline_area_px(self.clip.camera.project(vertices, ASPECT), WIDTH, HEIGHT)
            if worth_a_label(shown, min(outline, WIDTH * HEIGHT)):
                x1, y1, x2, y2 = shown.box_px
                box = (round(x1 / WIDTH, 4), round(y1 / HEIGHT, 4), round(x2 / WIDTH, 4), round(y2 / HEIGHT, 4))
                found.append(Seen(name, self.labels[name], box))
        return tuple(found)


def _settled(part: Picture, still: Pixels, still_index: NDArray[np.int32], window: Window) -> Pixels:
    """The moving part over the still room, keeping still pixels exactly, so that quiet places do not shimmer."""
    import cv2

    fresh, old = part.rgba[..., :3].astype(np.float32), still.astype(np.float32)
    apart = cv2.GaussianBlur(np.abs(fresh - old).max(axis=2), (0, 0), 1.5)
    share = np.clip((apart - SAME_LEVELS) / (OTHER_LEVELS - SAME_LEVELS), 0, 1)
    share[part.index != still_index] = 1.0
    share = np.maximum(share, cv2.GaussianBlur((part.index != still_index).astype(np.float32), (0, 0), 1.2))
    # At the window's edge a shadow that goes on outside of it fades out.
    edge = np.ones(share.shape, dtype=np.float32)
    fade = np.linspace(0, 1, MARGIN_PX // 2, dtype=np.float32)
    if window[0] > 0:
        edge[:, : len(fade)] *= fade
    if window[2] < WIDTH:
        edge[:, -len(fade) :] *= fade[::-1]
    if window[1] > 0:
        edge[: len(fade)] *= fade[:, None]
    if window[3] < HEIGHT:
        edge[-len(fade) :] *= fade[::-1, None]
    share = (share * edge)[..., None]
    mixed: Pixels = np.rint(fresh * share + old * (1 - share)).astype(np.uint8)
    return mixed


def encode(frames: Path, fps: float, out: Path) -> None:
    """H.264 of numbered PNG pictures in a folder; `out` is replaced whole. Needs ffmpeg on the PATH."""
    waiting = out.with_name(f".{out.stem}.part.mp4")
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-y",
        "-framerate",
        f"{fps:g}",
        "-i",
        str(frames / "%05d.png"),
        "-c:v",
        "libx264",
        "-preset",
        "veryslow",
        "-crf",
        "21",
        "-g",
        f"{round(fps * 2)}",
        "-pix_fmt",
        "yuv420p",
        "-movflags",
        "+faststart",
        str(waiting),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError as missing:
        raise SpotterError("encoding a clip needs ffmpeg on the PATH; install it") from missing
    except subprocess.CalledProcessError as failed:
        raise SpotterError(
            f"ffmpeg could not encode {out.name}: {failed.stderr.decode(errors='replace').strip()}"
        ) from failed
    waiting.replace(out)
