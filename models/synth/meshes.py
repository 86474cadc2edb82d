"""Meshes as NumPy arrays, the paints on them, and the primitives everything else is built from.

Lengths are metres, z is up. A face row is four vertex numbers; a triangle has -1 as its last.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]
Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Paint:
    """How a surface looks. Colours are sRGB in 0..1, scales are metres of one feature."""

    colour: Colour
    roughness: float = 0.6
    metallic: float = 0.0
    speckle: Colour | None = None
    speckle_size: float = 0.02
    speckle_share: float = 0.3
    bump: float = 0.0
    bump_size: float = 0.01
    glow: float = 0.0
    picture: Pixels | None = None  # RGBA, rows from the top, laid over `colour` by the mesh's uv


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices [V, 3], faces [F, 4], one paint number a face, and for pictures one uv a vertex."""

    vertices: Floats
    faces: Ints
    paints: tuple[Paint, ...]
    face_paint: Ints
    uv: Floats | None = None
    smooth: bool = True

    def moved(self, rotation: Floats | None = None, shift: Floats | tuple[float, float, float] = (0, 0, 0)) -> Mesh:
        """The mesh turned by a 3x3 rotation about the origin, then shifted."""
        turned = self.vertices if rotation is None else self.vertices @ rotation.T
        return replace(self, vertices=turned + np.asarray(shift, dtype=np.float64))

    def scaled(self, factors: tuple[float, float, float]) -> Mesh:
        """The mesh stretched along the axes."""
        return replace(self, vertices=self.vertices * np.asarray(factors))


def joined(parts: list[Mesh]) -> Mesh:
    """One mesh of several; paints are kept apart, smoothness is the first part's."""
    vertices, faces, uvs, paint_of = [], [], [], []
    paints: list[Paint] = []
    vertex_count = paint_count = 0
    for part in parts:
        vertices.append(part.vertices)
        faces.append(np.where(part.faces >= 0, part.faces + vertex_count, -1))
        uvs.append(np.zeros((len(part.vertices), 2)) if part.uv is None else part.uv)
        paint_of.append(part.face_paint + paint_count)
        paints.extend(part.paints)
        vertex_count += len(part.vertices)
        paint_count += len(part.paints)
    return Mesh(
        np.concatenate(vertices),
        np.concatenate(faces),
        tuple(paints),
        np.concatenate(paint_of),
        np.concatenate(uvs),
        parts[0].smooth,
    )


def painted(vertices: Floats, faces: Ints, paint: Paint, *, smooth: bool = True) -> Mesh:
    """A mesh of one paint."""
    return Mesh(vertices, faces, (paint,), np.zeros(len(faces), dtype=np.int64), None, smooth)


def rotation(axis: str, degrees: float) -> Floats:
    """The 3x3 rotation about 'x', 'y' or 'z'."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = cosine
    turn[first, second], turn[second, first] = -sine, sine
    return turn


def grid_faces(rows: int, columns: int, *, wrap: bool = False) -> Ints:
    """Quads over a rows x columns grid of vertices; with `wrap` the last column joins the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if wrap else columns - 1), indexing="ij")
    following = (column + 1) % columns
    quads = [row * columns + column, row * columns + following]
    quads += [(row + 1) * columns + following, (row + 1) * columns + column]
    return np.stack(quads, axis=-1).reshape(-1, 4).astype(np.int64)


def lathe(profile: Floats, paint: Paint, segments: int = 40, *, smooth: bool = True) -> Mesh:
    """A surface of revolution about z; `profile` rows are (radius, z) from the bottom up."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    around = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    vertices = np.empty((len(profile), segments, 3))
    vertices[..., :2] = profile[:, None, :1] * around[None]
    vertices[..., 2] = profile[:, None, 1]
    return painted(vertices.reshape(-1, 3), grid_faces(len(profile), segments, wrap=True), paint, smooth=smooth)


def ball(radius: float, paint: Paint, rings: int = 28, segments: int = 40) -> Mesh:
    """A sphere about the origin, with its poles on z."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings)
    return lathe(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1), paint, segments)


def tube(path: Floats, radius: float | Floats, paint: Paint, segments: int = 14) -> Mesh:
    """A round bar along `path` [N, 3] with closed ends; `radius` may vary along it."""
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(path),))
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-12
    side = np.array([0.0, 0.0, 1.0]) if abs(along[0, 2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    rings = []
    for point, direction, thickness in zip(path, along, radii, strict=True):
        side = side - direction * (side @ direction)
        side /= np.linalg.norm(side) + 1e-12
        other = np.cross(direction, side)
        angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)[:, None]
        rings.append(point + thickness * (np.cos(angle) * side + np.sin(angle) * other))
    rings = [np.repeat(path[:1], segments, 0), *rings, np.repeat(path[-1:], segments, 0)]
    return painted(np.concatenate(rings), grid_faces(len(rings), segments, wrap=True), paint)


def box(size: tuple[float, float, float], paint: Paint, bevel: float = 0.0) -> Mesh:
    """A cuboid about the origin; `bevel` rounds its edges by that radius."""
    if bevel <= 0:
        corner = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
        sides = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
        return painted(corner * np.asarray(size), np.array(sides, dtype=np.int64), paint, smooth=False)
    inner = np.maximum(np.asarray(size) / 2 - bevel, 0)
    # Each octant of a small sphere moves to its corner; the faces between them become the flat sides.
    angle = (np.arange(16) + 0.5) * 2 * np.pi / 16
    tilt = (np.arange(10) + 0.5) / 10 * np.pi - np.pi / 2
    unit = np.empty((10, 16, 3))
    unit[..., 0] = np.cos(tilt)[:, None] * np.cos(angle)[None]
    unit[..., 1] = np.cos(tilt)[:, None] * np.sin(angle)[None]
    unit[..., 2] = np.sin(tilt)[:, None]
    vertices = unit * bevel + np.sign(unit) * inner
    caps = np.array([[0, 0, vertices[0, 0, 2]], [0, 0, vertices[-1, 0, 2]]])
    flat = vertices.reshape(-1, 3)
    faces = grid_faces(10, 16, wrap=True)
    bottom = [[160, (i + 1) % 16, i, -1] for i in range(16)]
    top = [[161, 144 + i, 144 + (i + 1) % 16, -1] for i in range(16)]
    every = np.concatenate([faces, np.array(bottom + top, dtype=np.int64)])
    return painted(np.concatenate([flat, caps]), every, paint, smooth=False)


def sheet(width: float, height: float, paint: Paint) -> Mesh:
    """An upright rectangle in the x-z plane about the origin, facing -y, with uv over it."""
    x, z = width / 2, height / 2
    vertices = np.array([[-x, 0, -z], [x, 0, -z], [x, 0, z], [-x, 0, z]])
    uv = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    face = np.array([[0, 1, 2, 3]], dtype=np.int64)
    return Mesh(vertices, face, (paint,), np.zeros(1, dtype=np.int64), uv, smooth=False)


def repaint(mesh: Mesh, paint: Paint, faces: NDArray[np.bool_]) -> Mesh:
    """The mesh with `faces` in one more paint."""
    number = len(mesh.paints)
    return replace(mesh, paints=(*mesh.paints, paint), face_paint=np.where(faces, number, mesh.face_paint))


def face_centres(mesh: Mesh) -> Floats:
    """The mean corner of every face [F, 3]."""
    present = (mesh.faces >= 0)[..., None]
    total: Floats = (mesh.vertices[np.maximum(mesh.faces, 0)] * present).sum(axis=1)
    middle: Floats = total / present.sum(axis=1)
    return middle
