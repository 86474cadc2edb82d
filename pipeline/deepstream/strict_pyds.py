"""A strict stand-in for NVIDIA's pyds, for tests and the bench: the names and fields of its stubs, and its ways.

A field that the stubs do not have can be neither read nor set. `cast` takes only what a list holds. Lists are walked
as GLists, objects newest first. After `release` (a probe has returned) nothing of a batch can be read: NVIDIA's memory
holds something else by then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIELDS = Path(__file__).with_name("pyds_fields.json")
"""Made from pyds-stubs by `python -m tests.pipeline.deepstream.pyds_stub`."""

STATED: dict[str, dict[str, str]] = json.loads(FIELDS.read_text(encoding="utf-8"))
UNTRACKED = 0xFFFFFFFFFFFFFFFF


class Life:
    """Whether a batch's memory is still its own: not `over`."""

    __slots__ = ("held", "over")

    def __init__(self) -> None:
        self.over = False
        self.held: list[Any] = []

    def end(self) -> None:
        """From now on nothing of the batch can be read."""
        self.over = True
        for one in self.held:
            one.forget()
        self.held.clear()


class Capsule:
    """What a list holds: to be cast."""

    __slots__ = ("held", "life")

    def __init__(self, held: Any, life: Life) -> None:
        self.held, self.life = held, life


class GList:
    """One place of a list; `data` and `next`, or StopIteration at an end that is `abrupt`."""

    __slots__ = ("_abrupt", "_life", "_next", "data")

    def __init__(self, data: Capsule, following: GList | None, life: Life, abrupt: bool) -> None:
        self.data, self._next, self._life, self._abrupt = data, following, life, abrupt

    @property
    def next(self) -> GList | None:
        """The following place."""
        if self._life.over:
            raise RuntimeError("a list was walked after its probe returned")
        if self._next is None and self._abrupt:
            raise StopIteration
        return self._next


def _meta_class(name: str) -> Any:
    """A class with the stated fields only, which can't be read after its batch's end."""
    stated = STATED[name]

    class Meta:
        __slots__ = tuple(stated)

        def __init__(self, life: Life, **values: Any) -> None:
            unknown = values.keys() - stated.keys()
            if unknown:
                raise AttributeError(f"{name} has no {', '.join(sorted(unknown))}")
            for field, value in values.items():
                object.__setattr__(self, field, value)
            life.held.append(self)

        def __setattr__(self, field: str, value: Any) -> None:
            raise AttributeError(f"{name}.{field} is not ours to write")

        def forget(self) -> None:
            for field in stated:
                if hasattr(self, field):
                    object.__delattr__(self, field)

        @classmethod
        def cast(cls, capsule: Any) -> Any:
            if type(capsule) is not Capsule or type(capsule.held) is not cls:
                raise TypeError(f"{name}.cast() takes what a list of {name} holds")
            return capsule.held

    Meta.__name__ = Meta.__qualname__ = name
    return Meta


NvDsBatchMeta, NvDsFrameMeta = _meta_class("NvDsBatchMeta"), _meta_class("NvDsFrameMeta")
NvDsObjectMeta, NvOSD_RectParams = _meta_class("NvDsObjectMeta"), _meta_class("NvOSD_RectParams")

_batches: dict[int, Any] = {}
_lives: dict[int, Life] = {}
_pictures: dict[int, Sequence[NDArray[np.uint8]]] = {}

mapped: set[tuple[int, int]] = set()
"""Pictures that were mapped (buffer and place), and not unmapped since."""


def gst_buffer_get_nvds_batch_meta(buffer: int) -> Any:
    """The metadata of the buffer at an address; None where it has none."""
    if not isinstance(buffer, int):
        raise TypeError("gst_buffer_get_nvds_batch_meta() takes hash(buffer)")
    return _batches.get(buffer)


def get_nvds_buf_surface(gst_buffer: int, batchID: int) -> NDArray[np.uint8]:  # noqa: N803 - as the stub has it
    """The picture at a place of a batch: NVIDIA's own memory, which holds another one later."""
    if not isinstance(gst_buffer, int) or gst_buffer not in _pictures:
        raise RuntimeError("get_nvds_buf_surface: Currently we only support RGBA color Format")
    mapped.add((gst_buffer, batchID))
    return _pictures[gst_buffer][batchID]


def unmap_nvds_buf_surface(gst_buffer: int, batchID: int) -> None:  # noqa: N803 - as the stub has it
    """The picture can't be read any more."""
    mapped.remove((gst_buffer, batchID))


def module() -> ModuleType:
    """To be put in the place of `pyds`."""
    made = ModuleType("pyds")
    for name in (*(name for name in STATED if name != "functions"), *STATED["functions"]):
        setattr(made, name, globals()[name])
    return made


def attach(
    buffer: Any,
    frames: Sequence[dict[str, Any]],
    *,
    abrupt: bool = False,
    pictures: Sequence[NDArray[np.uint8]] | None = None,
) -> Life:
    """Give a buffer metadata; each frame has its fields and, under `objects`, rows of fields with a `box`.

    `pictures`, by place: RGBA, where the processor can read them.
    """
    if hash(buffer) in _lives:  # written anew by the next element
        release(buffer)
    if pictures is not None:
        _pictures[hash(buffer)] = pictures
    life = Life()
    made = []
    for values in frames:
        objects = [
            NvDsObjectMeta(
                life,
                rect_params=NvOSD_RectParams(
                    life, **dict(zip(("left", "top", "width", "height"), one["box"], strict=True))
                ),
                **{"object_id": UNTRACKED, **{key: value for key, value in one.items() if key != "box"}},
            )
            for one in values.get("objects", ())
        ]
        own = {key: value for key, value in values.items() if key != "objects"}
        made.append(
            NvDsFrameMeta(life, obj_meta_list=_list(objects[::-1], life, abrupt), num_obj_meta=len(objects), **own)
        )
    _lives[hash(buffer)] = life
    _batches[hash(buffer)] = NvDsBatchMeta(
        life, frame_meta_list=_list(made, life, abrupt), num_frames_in_batch=len(made)
    )
    return life


def release(buffer: Any) -> None:
    """The buffer is gone, and its metadata with it."""
    if hash(buffer) in _lives:
        del _batches[hash(buffer)]
        for picture in _pictures.pop(hash(buffer), ()):
            picture[:] = 255
        _lives.pop(hash(buffer)).end()


def _list(values: Sequence[Any], life: Life, abrupt: bool) -> GList | None:
    first: GList | None = None
    for value in reversed(values):
        first = GList(Capsule(value, life), first, life, abrupt)
    return first
