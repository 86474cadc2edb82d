"""Random training pictures with exact YOLO labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.labels import PICTURE_SUFFIXES
from models.synth.boxes import outline_area_px, visible_boxes, worth_a_label, yolo_rows
from models.synth.items import CLASSES
from models.synth.meshes import Pixels
from models.synth.scenes import Scene, random_scene, shadow_floor
from models.synth.stage import Stage
from models.synth.workers import each
from spotter.errors import SpotterError

SKY: tuple[float, float, float] = (0.85, 0.9, 1.0)


def render_scene(scene: Scene, size: int, samples: int, backdrop: Pixels | None, seed: int) -> tuple[Pixels, str]:
    """A square RGB picture of `size` pixels and its label rows; over `backdrop` (RGB) where one is given."""
    stage = Stage(size, size, samples=samples, clear_sky=backdrop is not None)
    stage.sky(SKY, scene.sky)
    stage.look(scene.camera)
    for mesh in scene.scenery:
        stage.add(mesh)
    if backdrop is not None:
        stage.catch_shadows(stage.add(shadow_floor()))
    for lamp in scene.lamps:
        stage.light(lamp.place, lamp.target, lamp.size, lamp.watts, lamp.colour)
    for number, thing in enumerate(scene.things, start=1):
        stage.add(thing.mesh, number)
    picture = stage.render(seed)
    seen = visible_boxes(picture.index)
    boxes, classes = {}, {}
    for number, thing in enumerate(scene.things, start=1):
        if number not in seen:
            continue
        outline = outline_area_px(scene.camera.project(thing.mesh.vertices, 1.0), size, size)
        if worth_a_label(seen[number], min(outline, size * size)):
            boxes[number], classes[number] = seen[number].box_px, CLASSES.index(thing.label)
    rgb = picture.rgba[..., :3]
    if backdrop is not None:
        rgb = over(picture.rgba, backdrop)
    return rgb, yolo_rows(boxes, classes, (size, size))


def over(rgba: Pixels, backdrop: Pixels) -> Pixels:
    """A render with alpha laid over an RGB picture of the same size (straight alpha)."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    mixed: Pixels = np.rint(rgba[..., :3] * alpha + backdrop * (1 - alpha)).astype(np.uint8)
    return mixed


def backdrop_from(path: Path, size: int, rng: np.random.Generator) -> Pixels:
    """A random square part of a photograph, `size` pixels wide, RGB."""
    import cv2

    read = cv2.imread(str(path))
    if read is None:
        raise SpotterError(f"{path} is not a picture; take it out of the folder of backgrounds")
    photo = read[..., ::-1]
    height, width = photo.shape[:2]
    side = int(min(height, width) * rng.uniform(0.55, 1.0))
    x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
    part = photo[y : y + side, x : x + side]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    resized = cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=cv2.INTER_AREA)
    return resized.astype(np.uint8)


def as_filmed(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    """What a cheap camera makes of it: light, tint, blur, noise. Places stay where they are."""
    import cv2

    picture: Any = rgb.astype(np.float32) / 255
    picture = np.clip(picture * rng.normal(1, 0.05, 3).astype(np.float32) * rng.uniform(0.75, 1.25), 0, 1)
    picture = picture ** np.float32(rng.uniform(0.8, 1.25))
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + (picture - grey) * np.float32(rng.uniform(0.6, 1.1))
    if rng.random() < 0.2:
        length = int(rng.choice([3, 5, 7]))
        kernel: Any = np.zeros((length, length), dtype=np.float32)
        kernel[length // 2] = 1 / length
        spin = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), float(rng.uniform(0, 180)), 1)
        kernel = cv2.warpAffine(kernel, spin, (length, length))
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
    elif rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.1)))
    picture = picture + rng.normal(0, rng.uniform(0, 0.03), picture.shape).astype(np.float32)
    filmed: Pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return filmed


def write_pair(folder: Path, name: str, rgb: Pixels, rows: str, quality: int) -> None:
    """Write label and image so that whoever sees the image finds its label complete."""
    import cv2

    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    for kind, suffix, content in (("labels", "txt", rows.encode()), ("images", "jpg", encoded.tobytes())):
        waiting = folder / f".{name}.{suffix}.part"
        waiting.write_bytes(content)
        waiting.replace(folder / kind / f"{name}.{suffix}")


def render_pictures(
    out: Path,
    numbers: range,
    *,
    size: int,
    samples: int,
    backgrounds: Path | None = None,
    view: str | None = None,
    jobs: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Render a picture for each number, which is its seed, into `out/images` and `out/labels`, in `jobs` processes.

    Half of them stand before photos from `backgrounds`, where given. What is there already stays: a stopped run can be
    started again. The same number, size and backgrounds give the same picture on the same machine.
    """
    photos = background_photos(backgrounds) if backgrounds is not None else []
    work = partial(_render_picture, out=out, size=size, samples=samples, photos=photos, view=view)
    for _ in each(work, numbers, jobs):
        advance()


def _render_picture(number: int, *, out: Path, size: int, samples: int, photos: list[Path], view: str | None) -> None:
    name = f"synth-{number:06d}"
    if (out / "images" / f"{name}.jpg").exists():
        return
    rng = np.random.default_rng(number)
    before_photo = photos and rng.random() < 0.5
    backdrop = backdrop_from(photos[rng.integers(len(photos))], size, rng) if before_photo else None
    scene = random_scene(rng, with_room=backdrop is None, view=view)
    rgb, rows = render_scene(scene, size, samples, backdrop, number)
    write_pair(out, name, as_filmed(rgb, rng), rows, int(rng.integers(70, 95)))


def background_photos(folder: Path) -> list[Path]:
    """The pictures in a folder, in the order of their names."""
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    if not photos:
        raise SpotterError(f"backgrounds {folder}: no pictures in it; give a folder of JPEG or PNG photos")
    return photos
