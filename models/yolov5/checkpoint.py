"""Reads YOLOv5 checkpoints without running what they contain.

A checkpoint is a zip with a pickle, and a pickle is a program. This reader knows the few names that YOLOv5's
checkpoints use, stands inert objects in for the classes among them, and refuses every other name before anything of
the file is evaluated. Tensors come out as NumPy arrays: reading needs no torch.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.yolov5 import SIZES
from models.yolov5.pickled import INERT, KNOWN, STORAGES, meaning
from spotter.class_names import class_names
from spotter.errors import SpotterError

if TYPE_CHECKING:
    from models.yolov5.network import YoloV5

MAX_UNPACKED_BYTES = 2 << 30
"""More than the largest official checkpoint unpacks to (yolov5x6: 0.6 GB); guards against zip bombs."""

COCO_CLASSES, COCO_ENDS = 80, ("person", "toothbrush")
"""How many classes official checkpoints have, and the first and last of them."""

_STRIDES_BY_LAYERS = {25: "", 34: "6"}
_LETTERS = {-(-int(64 * width) // 8) * 8: letter for letter, (_, width) in SIZES.items() if len(letter) == 1}
"""Size by the channels of the first layer."""

# What the unpickler raises on damaged input; a hostile file can reach any of them.
_DAMAGE = (
    pickle.UnpicklingError, zipfile.BadZipFile, ArithmeticError, AssertionError, AttributeError, EOFError, ImportError,
    LookupError, MemoryError, NotImplementedError, OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


class CheckpointError(SpotterError):
    """A checkpoint cannot be read, or holds what this reader refuses."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tensors of a checkpoint by name (`model.0.conv.weight`, ...), its class labels and its variant."""

    tensors: Mapping[str, NDArray[Any]]
    labels: tuple[str, ...]
    size: str
    """One of `SIZES`."""
    sources: tuple[tuple[int, ...], ...]
    """From which layers each layer reads, -1 being the one before."""
    anchor_free: bool
    """Whether it is a YOLOv5u."""
    date: str | None
    """The day on which it was written, where it says so."""


class _Inert:
    """Stands in for a class of the checkpoint: keeps the state it is given and does nothing."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None:
        """Keep what `BUILD` brings: a module's attributes, or an array's shape and bytes, which nobody needs."""
        vars(self).update(state if isinstance(state, dict) else {"state": state})


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a YOLOv5 checkpoint (release 6 or 7, n to x, three strides or four; as trained or official) or a YOLOv5u.

    Raises `CheckpointError` where the file is missing, damaged, no YOLOv5, or names anything unknown.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = _unpickle(archive, path)
        return _to_checkpoint(root)
    except CheckpointError:
        raise
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint {path}: no such file; give the path of a YOLOv5 .pt file") from None
    except RecursionError:
        raise CheckpointError(f"checkpoint {path}: nested too deeply to be a YOLOv5 checkpoint") from None
    except _DAMAGE as error:
        cause = str(error).strip() or type(error).__name__
        raise CheckpointError(
            f"checkpoint {path}: not a readable YOLOv5 checkpoint ({cause}); fetch the file again"
        ) from error


def load_checkpoint(path: Path) -> YoloV5:
    """The network that a checkpoint describes, in float32 and evaluation mode."""
    import torch

    from models.yolov5.anchor_free import YoloV5u
    from models.yolov5.network import YoloV5

    checkpoint = read_checkpoint(path)
    network = (YoloV5u if checkpoint.anchor_free else YoloV5)(checkpoint.labels, checkpoint.size)
    wanted = (*(layer[0] for layer in network.layout), network.head_inputs)
    if checkpoint.sources != wanted:
        number = next((i for i, (a, b) in enumerate(zip(checkpoint.sources, wanted, strict=False)) if a != b), -1)
        raise CheckpointError(
            f"checkpoint {path}: another network than YOLOv5's: its layer {number} reads other layers"
        )
    own = network.state_dict()
    foreign = [name for name in checkpoint.tensors if name not in own and name.split(".")[-1] != "anchor_grid"]
    foreign = [name for name in foreign if ".dfl." not in name]  # a constant: the numbers 0 to 15
    if foreign:
        raise CheckpointError(f"checkpoint {path}: another network than YOLOv5's: it has a layer {foreign[0]}")
    state = {
        name: torch.from_numpy(np.array(array)).to(own[name].dtype)
        for name, array in checkpoint.tensors.items()
        if name in own
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        cause = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"checkpoint {path}: its layers are not those of YOLOv5 n to x ({cause})") from None
    network.source, network.trained = _source(checkpoint, path), checkpoint.date
    return network.eval()


def _source(checkpoint: Checkpoint, path: Path) -> str:
    """Where a checkpoint is from, by its name and classes: nothing in it says who made it."""
    kind = f"YOLOv5{checkpoint.size}{'u' if checkpoint.anchor_free else ''}"
    ends = (checkpoint.labels[0], checkpoint.labels[-1])
    if path.stem.lower() == kind.lower() and len(checkpoint.labels) == COCO_CLASSES and ends == COCO_ENDS:
        return f"the official {kind} COCO checkpoint"
    return f"the {kind} checkpoint {path.name}"


def _unpickle(archive: zipfile.ZipFile, path: Path) -> object:
    """The object in the archive's pickle, with inert stand-ins for its classes."""
    if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED_BYTES:
        raise CheckpointError(f"checkpoint {path}: unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB; refused")
    pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointError(f"checkpoint {path}: a zip without one data.pkl; it is no torch checkpoint")
    program = archive.read(pickles[0])
    _check_known(
        {str(argument) for opcode, argument, _ in pickletools.genops(program) if opcode.name == "GLOBAL"}, path
    )
    return _Reader(archive, pickles[0].removesuffix("data.pkl"), program, path).load()


def _check_known(names: set[str], path: Path) -> None:
    """Raise CheckpointError where a name is none of YOLOv5's, with what that says about the file."""
    unknown = sorted(names - KNOWN)
    if not unknown:
        return
    what = next(filter(None, map(meaning, unknown)), None)
    # A builtin beside a layer says less than the layer.
    telling = sorted(unknown, key=lambda name: (what is None or meaning(name) is None, "builtin" in name))
    shown = ", ".join(name.replace(" ", ".") for name in telling[:3]) + (", …" if len(telling) > 3 else "")
    raise CheckpointError(
        f"checkpoint {path}: refused, because it names {shown}, which YOLOv5's detection checkpoints do not contain"
        + (f": it is {what}" if what else "; nothing of it was run")
    )


class _Reader(pickle._Unpickler):  # the one in Python: the one in C lets a memo index of a few bytes claim gigabytes
    """Unpickles with every name mapped to an inert class or a function of this instance."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str, program: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(program))
        self._archive = archive
        self._prefix = prefix
        self._path = path
        self._storages: dict[str, NDArray[Any]] = {}
        # Made anew for each file: a pickle may set attributes of what it is handed, and must not change ours.
        self._names: dict[str, Any] = {name: type(name.split()[-1], (_Inert,), {}) for name in INERT | set(STORAGES)}
        self._names |= {
            "__builtin__ set": set,
            "builtins set": set,
            "collections OrderedDict": OrderedDict,
            "torch._utils _rebuild_tensor_v2": lambda *arguments: _tensor(*arguments),
            "torch._utils _rebuild_parameter": lambda data, *_: data,
        }
        self._dtypes = {id(self._names[name]): dtype for name, dtype in STORAGES.items()}

    def find_class(self, module: str, name: str, /) -> Any:
        full = f"{module} {name}"
        _check_known({full}, self._path)
        return self._names[full]

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        """A storage: `("storage", class, key, device, number of elements)`."""
        kind, storage, key, _, count = pid
        if kind != "storage" or not isinstance(key, str):
            raise pickle.UnpicklingError("an unknown kind of external object")
        if key not in self._storages:
            data = self._archive.read(f"{self._prefix}data/{key}")
            self._storages[key] = np.frombuffer(data, self._dtypes[id(storage)], count=count)
        return self._storages[key]


def _tensor(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> NDArray[Any]:
    """The view that torch describes by offset, shape and strides in elements; never beyond its storage."""
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or last >= storage.size + (0 in shape) or math.prod(shape) > storage.size:
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [s * storage.itemsize for s in strides], writeable=False
    )


def _to_checkpoint(root: object) -> Checkpoint:
    """Collect the tensors from the tree of stand-ins."""
    if not isinstance(root, dict):
        raise pickle.UnpicklingError("its top is no dictionary")
    model = root.get("ema") or root.get("model")
    if not isinstance(model, _Inert):
        raise pickle.UnpicklingError("it holds no model")
    state = vars(model)
    tensors: dict[str, NDArray[Any]] = {}
    _collect(model, "", tensors, depth=0)
    labels = class_names(state["names"])
    layers = list(vars(state["_modules"]["model"])["_modules"].values())
    sources = tuple(_sources(layer) for layer in layers)
    if len(sources) not in _STRIDES_BY_LAYERS:
        raise pickle.UnpicklingError(f"its {len(sources)} layers are not the 25 or 34 of YOLOv5")
    stem = len(tensors["model.0.conv.weight"])
    letter = _LETTERS.get(stem)
    if letter is None:
        raise pickle.UnpicklingError(f"its first layer has {stem} channels, as none of YOLOv5 n, s, m, l, x")
    anchor_free = f"model.{len(sources) - 1}.cv2.0.0.conv.weight" in tensors
    variant = letter + _STRIDES_BY_LAYERS[len(sources)]
    return Checkpoint(tensors, labels, variant, sources, anchor_free, _day(root.get("date")))


def _day(text: object) -> str | None:
    """The day of a checkpoint's `date`."""
    try:
        return datetime.fromisoformat(str(text)).date().isoformat()
    except ValueError:
        return None


def _sources(layer: object) -> tuple[int, ...]:
    """From which layers a layer reads: YOLOv5 notes it as `f`."""
    value = vars(layer)["f"]
    values = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(v, int) for v in values):
        raise pickle.UnpicklingError("a layer does not say what it reads")
    return tuple(values)


def _collect(module: _Inert, prefix: str, into: dict[str, NDArray[Any]], depth: int) -> None:
    """Walk torch's `_parameters`, `_buffers` and `_modules` as `state_dict` would."""
    if depth > 16:  # YOLOv5 is 6 deep; a loop in a hostile file is endless
        raise pickle.UnpicklingError("modules nested too deeply")
    state = vars(module)
    for group in ("_parameters", "_buffers"):
        for name, value in state[group].items():
            if isinstance(value, np.ndarray):
                into[f"{prefix}{name}"] = value
    for name, child in state["_modules"].items():
        if isinstance(child, _Inert):
            _collect(child, f"{prefix}{name}.", into, depth + 1)
