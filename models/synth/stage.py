"""The stage: meshes, lights and a camera in Blender, rendered on the CPU with Cycles. The one module that uses bpy.

Every visible thing has a pass index; the index picture rendered beside the colours gives exact boxes.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.synth.meshes import Colour, Floats, Mesh, Paint, Pixels
from spotter.errors import MissingExtraError


@dataclass(frozen=True)
class Camera:
    """Where the camera stands and looks (metres), its horizontal angle of view in degrees, and its roll."""

    place: tuple[float, float, float]
    target: tuple[float, float, float]
    view_degrees: float = 70.0
    roll: float = 0.0

    def axes(self) -> Floats:
        """Columns right, up and backward of the camera in the room [3, 3]."""
        back = np.asarray(self.place, dtype=np.float64) - np.asarray(self.target)
        back = back / np.linalg.norm(back)
        right = np.cross([0.0, 0.0, 1.0], back)
        right = right / np.linalg.norm(right)
        up = np.cross(back, right)
        cosine, sine = np.cos(np.radians(self.roll)), np.sin(np.radians(self.roll))
        return np.stack([cosine * right + sine * up, cosine * up - sine * right, back], axis=1)

    def project(self, points: Floats, aspect: float) -> Floats:
        """Room points [N, 3] to relative picture places and depth [N, 3]: x, y in 0..1 from the top left, metres."""
        local = (np.atleast_2d(points) - np.asarray(self.place)) @ self.axes()
        depth = -local[:, 2]
        half = np.tan(np.radians(self.view_degrees) / 2)
        safe = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        x = 0.5 + local[:, 0] / safe / half / 2
        y = 0.5 - local[:, 1] / safe / half / 2 * aspect
        return np.stack([x, y, depth], axis=1)

    def floor_point(self, x: float, y: float, aspect: float, height: float = 0.0) -> Floats:
        """The room point at `height` metres that a relative picture place shows."""
        half = np.tan(np.radians(self.view_degrees) / 2)
        ray = self.axes() @ np.array([(x - 0.5) * 2 * half, (0.5 - y) * 2 * half / aspect, -1.0])
        start = np.asarray(self.place)
        found: Floats = start + ray * (height - start[2]) / ray[2]
        return found


@dataclass(frozen=True, eq=False)
class Picture:
    """A render: RGBA [H, W, 4], and the pass index of what every pixel shows [H, W]."""

    rgba: Pixels
    index: NDArray[np.int32]


class Stage:
    """One Blender scene. Adding gives an object that can be moved, hidden or given new vertices."""

    def __init__(self, width: int, height: int, *, samples: int = 8, threads: int = 1, clear_sky: bool = False) -> None:
        try:
            import bpy
        except ImportError as missing:
            raise MissingExtraError("rendering (Blender as the package 'bpy')", "synth") from missing
        self._bpy: Any = bpy
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self._scene: Any = bpy.context.scene
        self._materials: dict[int, tuple[Paint, Any]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="spotter-synth-")
        render = self._scene.render
        render.engine = "CYCLES"
        render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
        render.threads_mode, render.threads = "FIXED", threads
        render.use_persistent_data = True
        render.film_transparent = clear_sky
        render.image_settings.file_format = "PNG"
        render.image_settings.color_mode = "RGBA"
        cycles = self._scene.cycles
        cycles.samples, cycles.use_adaptive_sampling = samples, False
        cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
        cycles.denoising_prefilter, cycles.denoising_quality = "FAST", "BALANCED"
        # One bounce, the rest from ambient occlusion: a quarter of the time of two bounces, and hardly plainer.
        cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 1, 1, 1
        cycles.use_fast_gi, cycles.fast_gi_method = True, "REPLACE"
        cycles.ao_bounces_render = 1
        cycles.debug_bvh_type = "DYNAMIC_BVH"  # only what moved is sorted anew
        cycles.transmission_bounces, cycles.transparent_max_bounces = 0, 2
        cycles.caustics_reflective = cycles.caustics_refractive = False
        self._scene.view_settings.view_transform = "AgX"
        self._index_output()
        camera = bpy.data.cameras.new("camera")
        self._camera: Any = bpy.data.objects.new("camera", camera)
        self._scene.collection.objects.link(self._camera)
        self._scene.camera = self._camera
        self.size = (width, height)

    def _index_output(self) -> None:
        """Write the object index beside every render."""
        self._scene.view_layers[0].use_pass_object_index = True
        tree = self._bpy.data.node_groups.new("passes", "CompositorNodeTree")
        self._scene.compositing_node_group = tree
        layers = tree.nodes.new("CompositorNodeRLayers")
        output = tree.nodes.new("CompositorNodeOutputFile")
        output.format.media_type = "IMAGE"
        output.format.file_format, output.format.color_depth = "OPEN_EXR", "32"
        output.directory, output.file_name = self._folder.name, "index"
        output.file_output_items.new("FLOAT", "index")
        tree.links.new(layers.outputs["Object Index"], output.inputs[0])
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        final = tree.nodes.new("NodeGroupOutput")
        tree.links.new(layers.outputs["Image"], final.inputs[0])

    @property
    def exposure(self) -> float:
        """Stops of exposure."""
        return float(self._scene.view_settings.exposure)

    @exposure.setter
    def exposure(self, stops: float) -> None:
        self._scene.view_settings.exposure = stops

    @property
    def samples(self) -> int:
        """Light paths a pixel."""
        return int(self._scene.cycles.samples)

    @samples.setter
    def samples(self, count: int) -> None:
        self._scene.cycles.samples = count

    def add(self, mesh: Mesh, index: int = 0) -> Any:
        """A new object of that mesh; `index` is what it shows as in the index picture, 0 is background."""
        data = self._bpy.data.meshes.new("mesh")
        faces = [[int(v) for v in face if v >= 0] for face in mesh.faces]
        data.from_pydata(mesh.vertices.tolist(), [], faces)
        for paint in mesh.paints:
            data.materials.append(self._material(paint))
        data.polygons.foreach_set("material_index", mesh.face_paint.astype(np.int32))
        data.polygons.foreach_set("use_smooth", np.full(len(faces), mesh.smooth))
        if mesh.uv is not None:
            corners = np.empty(len(data.loops), dtype=np.int32)
            data.loops.foreach_get("vertex_index", corners)
            layer = data.uv_layers.new(name="uv")
            layer.data.foreach_set("uv", mesh.uv[corners].astype(np.float32).ravel())
        data.update()
        thing = self._bpy.data.objects.new("thing", data)
        thing.pass_index = index
        self._scene.collection.objects.link(thing)
        return thing

    def reshape(self, thing: Any, vertices: Floats) -> None:
        """New places for the vertices of an object; its faces stay."""
        thing.data.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
        thing.data.update()

    def place(self, thing: Any, turn: Floats, shift: Floats | tuple[float, float, float]) -> None:
        """Put an object at a rotation [3, 3] and a shift [3]."""
        thing.matrix_world = _columns(turn, shift)

    def show(self, thing: Any, visible: bool) -> None:
        """Whether an object is in the render."""
        thing.hide_render = not visible

    def remove(self, thing: Any) -> None:
        """Take an object off the stage."""
        data = thing.data
        self._bpy.data.objects.remove(thing)
        if data is not None and data.users == 0 and data.id_type == "MESH":
            self._bpy.data.meshes.remove(data)

    def catch_shadows(self, thing: Any) -> None:
        """Make an object a shadow catcher: invisible but for the shadows on it."""
        thing.is_shadow_catcher = True

    def light(
        self,
        place: tuple[float, float, float],
        target: tuple[float, float, float],
        size: tuple[float, float],
        watts: float,
        colour: Colour = (1.0, 1.0, 1.0),
    ) -> Any:
        """A rectangular lamp of `size` metres that faces its target."""
        lamp = self._bpy.data.lights.new("lamp", "AREA")
        lamp.shape, lamp.size, lamp.size_y = "RECTANGLE", size[0], size[1]
        lamp.energy, lamp.color = watts, colour
        thing = self._bpy.data.objects.new("lamp", lamp)
        thing.matrix_world = _columns(Camera(place, target).axes(), place)
        self._scene.collection.objects.link(thing)
        return thing

    def sky(self, colour: Colour, strength: float) -> None:
        """Even light from everywhere."""
        world = self._bpy.data.worlds.new("sky")
        self._scene.world = world
        world.use_nodes = True
        background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
        background.inputs["Color"].default_value = (*colour, 1.0)
        background.inputs["Strength"].default_value = strength

    def look(self, camera: Camera) -> None:
        """Point the camera."""
        self._camera.data.sensor_fit = "HORIZONTAL"
        self._camera.data.angle = np.radians(camera.view_degrees)
        self._camera.data.clip_start = 0.02
        self._camera.matrix_world = _columns(camera.axes(), camera.place)

    def crop(self, window: tuple[float, float, float, float] | None) -> None:
        """Render only a relative window (x1, y1, x2, y2 from the top left), or all with None."""
        render = self._scene.render
        render.use_border = render.use_crop_to_border = window is not None
        if window is not None:
            # Blender cuts the fraction of a pixel off: a quarter of one keeps whole pixels whole.
            across, down = 0.25 / self.size[0], 0.25 / self.size[1]
            render.border_min_x, render.border_max_x = window[0] + across, window[2] + across
            render.border_min_y, render.border_max_y = 1 - window[3] + down, 1 - window[1] + down

    def render(self, seed: int = 0) -> Picture:
        """One picture of the stage as it is now."""
        import cv2

        self._scene.cycles.seed = seed
        folder = Path(self._folder.name)
        for old in folder.iterdir():
            old.unlink()
        self._scene.render.filepath = str(folder / "colour.png")
        with _quiet():
            self._bpy.ops.render.render(write_still=True)
        colour: Any = cv2.imread(str(folder / "colour.png"), cv2.IMREAD_UNCHANGED)
        index_file = next(path for path in folder.iterdir() if path.suffix == ".exr")
        return Picture(colour[..., [2, 1, 0, 3]], self._read_index(index_file))

    def _read_index(self, path: Path) -> NDArray[np.int32]:
        """The index picture [H, W], read by Blender itself: OpenCV's wheels have no OpenEXR any more."""
        image = self._bpy.data.images.load(str(path))
        width, height = image.size
        values = np.empty(width * height * image.channels, dtype=np.float32)
        image.pixels.foreach_get(values)
        self._bpy.data.images.remove(image)
        upright = values.reshape(height, width, -1)[::-1, :, 0]  # Blender counts rows from below
        return np.rint(upright).astype(np.int32)

    def _material(self, paint: Paint) -> Any:
        known = self._materials.get(id(paint))
        if known is not None:
            return known[1]
        material = self._bpy.data.materials.new("paint")
        material.use_nodes = True
        material.cycles.emission_sampling = "NONE"  # lamps light the room; what glows only looks bright
        tree = material.node_tree
        surface = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
        surface.inputs["Base Color"].default_value = (*_linear(paint.colour), 1.0)
        surface.inputs["Roughness"].default_value = paint.roughness
        surface.inputs["Metallic"].default_value = paint.metallic
        if paint.glow > 0:
            surface.inputs["Emission Color"].default_value = (*_linear(paint.colour), 1.0)
            surface.inputs["Emission Strength"].default_value = paint.glow
        if paint.speckle is not None:
            self._speckle(tree, surface, paint)
        if paint.picture is not None:
            self._decal(tree, surface, paint.picture, paint.colour)
        if paint.bump > 0:
            noise = self._noise(tree, paint.bump_size)
            bump = tree.nodes.new("ShaderNodeBump")
            bump.inputs["Strength"].default_value = paint.bump
            bump.inputs["Distance"].default_value = 0.01
            tree.links.new(noise.outputs[0], bump.inputs["Height"])
            tree.links.new(bump.outputs["Normal"], surface.inputs["Normal"])
        self._materials[id(paint)] = (paint, material)
        return material

    def _noise(self, tree: Any, size: float) -> Any:
        place = tree.nodes.new("ShaderNodeTexCoord")
        noise = tree.nodes.new("ShaderNodeTexNoise")
        noise.inputs["Scale"].default_value = 1 / size
        noise.inputs["Detail"].default_value = 2.0
        tree.links.new(place.outputs["Object"], noise.inputs["Vector"])
        return noise

    def _speckle(self, tree: Any, surface: Any, paint: Paint) -> None:
        assert paint.speckle is not None
        noise = self._noise(tree, paint.speckle_size)
        ramp = tree.nodes.new("ShaderNodeValToRGB")
        edge = 0.5 + 0.2 * (0.5 - paint.speckle_share)
        ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = edge - 0.02, edge + 0.02
        ramp.color_ramp.elements[0].color = (*_linear(paint.colour), 1.0)
        ramp.color_ramp.elements[1].color = (*_linear(paint.speckle), 1.0)
        tree.links.new(noise.outputs[0], ramp.inputs["Fac"])
        tree.links.new(ramp.outputs["Color"], surface.inputs["Base Color"])

    def _decal(self, tree: Any, surface: Any, picture: Pixels, colour: Colour) -> None:
        height, width = picture.shape[:2]
        image = self._bpy.data.images.new("decal", width, height, alpha=True)
        image.pixels.foreach_set((picture[::-1].astype(np.float32) / 255).ravel())
        image.pack()
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.image = image
        mix = tree.nodes.new("ShaderNodeMixRGB")
        mix.inputs["Color1"].default_value = (*_linear(colour), 1.0)
        tree.links.new(texture.outputs["Alpha"], mix.inputs["Fac"])
        tree.links.new(texture.outputs["Color"], mix.inputs["Color2"])
        tree.links.new(mix.outputs["Color"], surface.inputs["Base Color"])


def _columns(turn: Floats, shift: Floats | tuple[float, float, float]) -> list[list[float]]:
    """A 4x4 matrix as Blender takes it: a list of columns."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, shift
    columns: list[list[float]] = matrix.T.tolist()
    return columns


def _linear(colour: Colour) -> Colour:
    """Linear light of an sRGB colour (IEC 61966-2-1)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return red, green, blue


class _quiet:  # noqa: N801
    """Blender prints a line a render to the C standard output; send it nowhere."""

    def __enter__(self) -> None:
        self._kept = os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._kept, 1)
        os.close(self._kept)
