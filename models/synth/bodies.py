"""People: a body from `anny` at rest, plain clothes laid over it, and the mesh of any pose.

Needs `anny` and torch (extra `[synth]`); the body data come with the anny package (MakeHuman's CC0 assets).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.synth.meshes import Colour, Floats, Ints, Mesh, Paint, ball, joined, painted, tube
from models.synth.skeleton import Pose, Posed, Rest, Solver
from spotter.errors import MissingExtraError

SKIN_TONES: tuple[Colour, ...] = (
    (0.86, 0.67, 0.56),
    (0.80, 0.60, 0.47),
    (0.70, 0.50, 0.37),
    (0.56, 0.38, 0.27),
    (0.42, 0.27, 0.19),
    (0.30, 0.19, 0.13),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    (0.06, 0.05, 0.05),
    (0.16, 0.10, 0.07),
    (0.28, 0.18, 0.10),
    (0.50, 0.36, 0.20),
    (0.45, 0.43, 0.42),
    (0.35, 0.14, 0.07),
)
HEM = 0.004  # metres of a garment's edge above the skin
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Look:
    """Who a person is and what they wear. The first four are anny's phenotypes in 0..1 (gender 0 is male)."""

    gender: float = 0.0
    age: float = 0.6
    muscle: float = 0.6
    weight: float = 0.45
    height: float = 0.48
    skin: Colour = SKIN_TONES[1]
    hair: Colour = HAIR_COLOURS[1]
    hair_style: str = "short"  # short, bald, bun, ponytail, cap
    top: Colour = (0.2, 0.3, 0.5)
    sleeve: float = 0.55  # share of the upper arm; 0 is a vest, above 1 reaches down the forearm
    bottom: Colour = (0.1, 0.1, 0.12)
    leg: float = 0.75  # share of the thigh that shorts cover; 2 is full-length
    shoe: Colour = (0.85, 0.85, 0.85)
    sole: Colour = (0.95, 0.95, 0.95)


def random_look(rng: np.random.Generator) -> Look:
    """Anybody in gym clothes."""
    gender = float(rng.random() < 0.45)
    palette: list[Colour] = [
        (0.07, 0.07, 0.08),
        (0.92, 0.92, 0.92),
        (0.45, 0.46, 0.48),
        (0.12, 0.17, 0.32),
        (0.65, 0.10, 0.12),
        (0.12, 0.42, 0.30),
        (0.85, 0.45, 0.12),
        (0.30, 0.20, 0.45),
        (0.15, 0.50, 0.65),
        (0.75, 0.72, 0.25),
        (0.80, 0.45, 0.55),
        (0.20, 0.20, 0.22),
    ]

    def pick() -> Colour:
        base = np.array(palette[rng.integers(len(palette))])
        red, green, blue = np.clip(base + rng.normal(0, 0.04, 3), 0.03, 0.97)
        return float(red), float(green), float(blue)

    dark: list[Colour] = [(0.06, 0.06, 0.07), (0.14, 0.14, 0.17), (0.10, 0.13, 0.24), (0.32, 0.33, 0.35)]
    styles = ("bun", "ponytail", "short", "ponytail") if gender else ("short", "short", "bald", "cap", "short")
    return Look(
        gender=gender,
        age=float(rng.uniform(0.6, 0.85)),
        muscle=float(rng.uniform(0.45, 0.85)),
        weight=float(rng.uniform(0.3, 0.7)),
        height=float(rng.uniform(0.4, 0.58)) + 0.08 * gender,
        skin=SKIN_TONES[rng.integers(len(SKIN_TONES))],
        hair=HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))],
        hair_style=str(rng.choice(styles)),
        top=pick(),
        sleeve=float(rng.choice([0.0, 0.5, 0.6, 0.6, 1.9])),
        bottom=pick() if rng.random() < 0.35 else dark[rng.integers(len(dark))],
        leg=float(rng.choice([0.45, 0.75, 0.9, 1.95])),
        shoe=pick(),
        sole=(0.93, 0.93, 0.93) if rng.random() < 0.7 else (0.1, 0.1, 0.1),
    )


@dataclass(frozen=True, eq=False)
class Layer:
    """A surface that follows the bones: mesh at rest and its skin weights."""

    mesh: Mesh
    weight_bones: Ints
    weights: Floats


class Person:
    """A dressed body that can be posed again and again; the mesh keeps its faces, only vertices move."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.rest, faces, texture_free = _rest_body(look.gender, look.age, look.muscle, look.weight, look.height)
        self.solver = Solver(self.rest)
        self.layers = _dressed(self.rest, faces, texture_free, look)
        rest_mesh = joined([layer.mesh for layer in self.layers])
        self.mesh_at_rest = replace(rest_mesh, uv=None)

    def solve(self, pose: Pose) -> Posed:
        """Bones of a pose, with `palms` for what the hands hold."""
        return self.solver.solve(pose)

    def mesh(self, posed: Posed) -> Mesh:
        """The dressed body in the ground frame."""
        parts = [posed.skin(layer.mesh.vertices, layer.weight_bones, layer.weights) for layer in self.layers]
        return replace(self.mesh_at_rest, vertices=np.concatenate(parts))


@lru_cache(maxsize=1)
def _anny() -> Any:
    try:
        import anny
    except ImportError as missing:
        raise MissingExtraError("rendering people (the package 'anny')", "synth") from missing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return anny.Anny(topology="anny-quads")


@lru_cache(maxsize=32)
def _rest_body(gender: float, age: float, muscle: float, weight: float, height: float) -> tuple[Rest, Ints, Mask]:
    """The undressed body at rest, its faces, and which vertices are eyeballs."""
    import torch

    model = _anny()
    wanted = {"gender": gender, "age": age, "muscle": muscle, "weight": weight, "height": height, "proportions": 0.6}
    still = torch.eye(4)[None, None].repeat(1, model.bone_count, 1, 1)
    with torch.no_grad():
        body = model(pose_parameters=still, phenotype_kwargs=wanted)
    bones = tuple(model.bone_labels)
    weights = model.vertex_bone_weights.numpy().astype(np.float64)
    rest = Rest(
        vertices=body["rest_vertices"][0].numpy().astype(np.float64),
        heads=body["rest_bone_heads"][0].numpy().astype(np.float64),
        bones=bones,
        parents=tuple(int(parent) for parent in model.bone_parents),
        weight_bones=model.vertex_bone_indices.numpy().astype(np.int64),
        weights=weights / weights.sum(axis=1, keepdims=True),
    )
    eyes = _share(rest, ("eye.L", "eye.R")) > 0.5
    return rest, model.faces.numpy().astype(np.int64), eyes


def _share(rest: Rest, prefixes: tuple[str, ...]) -> Floats:
    """How much of each vertex's weight hangs on bones whose names begin so."""
    wanted = np.array([name.startswith(prefixes) for name in rest.bones])
    share: Floats = (rest.weights * wanted[rest.weight_bones]).sum(axis=1)
    return share


def _along(rest: Rest, start: str, end: str) -> Floats:
    """How far each vertex lies along a limb: 0 at the first bone's head, 1 at the second's."""
    line = rest.head(end) - rest.head(start)
    along: Floats = (rest.vertices - rest.head(start)) @ line / (line @ line)
    return along


def _dressed(rest: Rest, faces: Ints, eyes: Mask, look: Look) -> list[Layer]:
    height = rest.vertices[:, 2]
    arm = _share(rest, ("upperarm", "lowerarm", "wrist", "finger", "metacarpal"))
    leg = _share(rest, ("upperleg", "lowerleg", "foot", "toe"))
    left = rest.vertices[:, 0] > 0
    down_arm = np.where(
        left, _along(rest, "upperarm01.L", "lowerarm01.L"), _along(rest, "upperarm01.R", "lowerarm01.R")
    )
    thigh = np.where(left, _along(rest, "upperleg01.L", "lowerleg01.L"), _along(rest, "upperleg01.R", "lowerleg01.R"))
    shin = np.where(left, _along(rest, "lowerleg01.L", "foot.L"), _along(rest, "lowerleg01.R", "foot.R"))
    down_leg = np.where(thigh < 1, thigh, 1 + np.maximum(shin, 0))
    hand = _share(rest, ("wrist", "finger", "metacarpal")) > 0.3
    head = _share(rest, ("head", "neck03")) > 0.4
    hips = rest.heads[0, 2]
    neck = rest.head("neck01")[2]
    collar = neck - 0.012 + 0.25 * np.clip(rest.vertices[:, 1] - rest.head("neck01")[1], -0.12, 0.03)

    top = (height < collar) & (height > hips - 0.02) & (leg < 0.5) & ~hand
    top &= (arm < 0.5) | (down_arm < look.sleeve)
    if look.sleeve <= 0:
        top &= arm < 0.35
    bottom = ((height < hips + 0.07) & (arm < 0.3) & (down_leg < look.leg)) & ~hand
    shoe = (_share(rest, ("foot", "toe")) > 0.5) & (height < rest.head("foot.L")[2] + 0.03)
    sock = (_share(rest, ("foot", "toe", "lowerleg")) > 0.5) & (height < rest.head("foot.L")[2] + 0.06) & ~shoe
    skull = rest.head("head")
    top_of_head = float(height[head].max())
    face_front = float(rest.vertices[head, 1].min())
    depth = (rest.vertices[:, 1] - face_front) / (float(rest.vertices[head, 1].max()) - face_front)
    # The hairline runs from the forehead down behind the ears to the nape.
    hairline = np.interp(depth, [0.0, 0.2, 0.45, 0.62, 1.0], [0.80, 0.78, 0.60, 0.38, 0.20])
    hair = head & ((height - skull[2]) / (top_of_head - skull[2]) > hairline) & ~eyes

    def fabric(colour: Colour) -> Paint:
        return Paint(colour, 0.85, bump=0.25, bump_size=0.02)

    layers = []
    covered = np.zeros(len(height), dtype=bool)
    if look.hair_style != "bald":
        paint = Paint(look.top, 0.8) if look.hair_style == "cap" else Paint(look.hair, 0.55, bump=0.5, bump_size=0.008)
        layers.append(_shell(rest, faces, hair, paint, 0.016 if look.hair_style != "cap" else 0.02, 3))
        layers += _hair_piece(rest, look, skull, top_of_head, face_front)
    for mask, paint, thickness, smoothing in (
        (bottom, fabric(look.bottom), 0.010 if look.leg > 1 else 0.016, 3),
        (top, fabric(look.top), 0.010, 5),
        (shoe, Paint(look.shoe, 0.6), 0.011, 10),
    ):
        layer = _shell(rest, faces, mask, paint, thickness, smoothing)
        if mask is shoe:
            layer = _with_sole(layer, look)
        layers.append(layer)
        covered |= mask
    kept = ~covered[faces].all(axis=1)
    # A ring of skin stays under every hem, so that no gap opens.
    skin_mesh = painted(rest.vertices, faces[kept], Paint(look.skin, 0.5))
    sock_faces, eye_faces = sock[faces[kept]].all(axis=1), eyes[faces[kept]].all(axis=1)
    eye_paint, sock_paint = Paint((0.12, 0.09, 0.08), 0.2), Paint(look.sole, 0.9)
    skin_mesh = replace(
        skin_mesh,
        paints=(skin_mesh.paints[0], eye_paint, sock_paint),
        face_paint=np.where(eye_faces, 1, np.where(sock_faces, 2, 0)),
    )
    return [Layer(skin_mesh, rest.weight_bones, rest.weights), *layers]


def _shell(rest: Rest, faces: Ints, mask: Mask, paint: Paint, thickness: float, smoothing: int) -> Layer:
    """A garment over the masked vertices: smoothed, then pushed out along the normals."""
    chosen = faces[mask[faces].all(axis=1)]
    used, flat = np.unique(chosen, return_inverse=True)
    local = flat.reshape(-1, 4).astype(np.int64)
    points = rest.vertices[used]
    edges = np.concatenate([local[:, [i, (i + 1) % 4]] for i in range(4)])
    edges = np.concatenate([edges, edges[:, ::-1]])
    count = np.bincount(edges[:, 0], minlength=len(used))[:, None]
    smoothed = points.copy()
    for _ in range(smoothing):
        mean = np.zeros_like(points)
        np.add.at(mean, edges[:, 0], smoothed[edges[:, 1]])
        smoothed = 0.4 * smoothed + 0.6 * mean / np.maximum(count, 1)
    normals = _normals(smoothed, local)
    inside = ((points - smoothed) * normals).sum(axis=1, keepdims=True)
    # Hems lie on the skin, so that no dark gap shows under them.
    sides, uses = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    hem = np.zeros(len(used), dtype=bool)
    hem[sides[uses == 2].ravel()] = True
    smoothed = smoothed + normals * (np.maximum(inside, 0) + thickness)
    smoothed[hem] = points[hem] + normals[hem] * HEM
    rim = sides[uses == 2]
    rim = np.concatenate([rim, rim[:, ::-1]])
    for _ in range(12):
        mean, met = np.zeros_like(points), np.zeros((len(used), 1))
        np.add.at(mean, rim[:, 0], smoothed[rim[:, 1]])
        np.add.at(met, rim[:, 0], 1.0)
        smoothed[hem] = 0.5 * smoothed[hem] + 0.5 * mean[hem] / met[hem]
    smoothed[hem] += normals[hem] * HEM
    return Layer(painted(smoothed, local, paint), rest.weight_bones[used], rest.weights[used])


def _normals(points: Floats, faces: Ints) -> Floats:
    face_normals = np.cross(points[faces[:, 2]] - points[faces[:, 0]], points[faces[:, 3]] - points[faces[:, 1]])
    normals = np.zeros_like(points)
    for corner in range(4):
        np.add.at(normals, faces[:, corner], face_normals)
    unit_normals: Floats = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12)
    return unit_normals


def _with_sole(layer: Layer, look: Look) -> Layer:
    """Shoes: flat underneath, with a sole of its own colour."""
    points = layer.mesh.vertices.copy()
    ground = points[:, 2].min()
    points[:, 2] = np.where(points[:, 2] < ground + 0.02, ground, points[:, 2])
    faces = layer.mesh.faces
    low = points[faces][..., 2].mean(axis=1) < ground + 0.028
    mesh = replace(
        layer.mesh,
        vertices=points,
        paints=(*layer.mesh.paints, Paint(look.sole, 0.7)),
        face_paint=low.astype(np.int64),
    )
    return replace(layer, mesh=mesh)


def _hair_piece(rest: Rest, look: Look, skull: Floats, crown: float, front: float) -> list[Layer]:
    """A bun, a ponytail or a cap's brim, fixed to the head."""
    paint = Paint(look.hair, 0.55, bump=0.5, bump_size=0.008)
    tall = crown - skull[2]
    if look.hair_style == "bun":
        mesh = ball(0.042, paint, 12, 18).moved(shift=(0, skull[1] + 0.115, skull[2] + 0.75 * tall))
    elif look.hair_style == "ponytail":
        path = np.array([[0, 0.10, 0.72], [0, 0.135, 0.70], [0, 0.155, 0.45], [0, 0.145, 0.1], [0, 0.135, -0.25]])
        path = path * np.array([1, 1, tall]) + np.array([0, skull[1], skull[2]])
        mesh = tube(path, np.array([0.012, 0.026, 0.032, 0.026, 0.008]), paint, 12)
    elif look.hair_style == "cap":
        mesh = ball(1.0, Paint(look.top, 0.8), 10, 20).scaled((0.075, 0.09, 0.007))
        mesh = mesh.moved(shift=(0, front + 0.01, skull[2] + 0.74 * tall))
    else:
        return []
    bones = np.full((len(mesh.vertices), 1), rest.bone("head"), dtype=np.int64)
    return [Layer(mesh, bones, np.ones((len(mesh.vertices), 1)))]
