"""What only the DeepStream engine needs: versions that fit, elements with our properties, libraries, folders."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.deepstream import configs
from pipeline.deepstream.graph import build, wants_new_mux
from pipeline.deepstream.listed import VERSIONS, list_name, properties
from pipeline.deepstream.metadata import SERVICE_MAKER_FRAME, SERVICE_MAKER_OBJECT
from pipeline.deepstream.model_file import engine_folder, gpu_name, is_jetson, prepare, tensorrt_version
from pipeline.deepstream.running import gstreamer
from pipeline.doctor.findings import Row
from spotter.settings import Settings

PYDS_OF = {"7.1": "1.2.0", "8.0": "1.2.2"}
"""Which pyds fits which DeepStream; from 9.0 on it is built for it."""

_CLASSES = """
import json, pyservicemaker
print(json.dumps([dir(one) for one in vars(pyservicemaker).values() if isinstance(one, type)]))
"""
"""Run by itself: bindings of another version may end the process that loads them."""

_TEGRA_RELEASE = Path("/etc/nv_tegra_release")
_SAMPLE_TRACKER = Path("samples/configs/deepstream-app/config_tracker_NvSORT.yml")


def platform_row(settings: Settings) -> Row:
    """GPU, driver and Jetson release."""
    gpu = gpu_name(settings.deepstream.gpu)
    if gpu is None:
        return Row(
            "GPU", "failed", "no NVIDIA GPU is seen", "start the container with the NVIDIA runtime and `--gpus all`"
        )
    if _TEGRA_RELEASE.is_file():
        return Row("GPU", "fine", f"{gpu}; {_TEGRA_RELEASE.read_text(encoding='utf-8').splitlines()[0].strip('# ')}")
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.split("\n")[0]
    return Row("GPU", "fine", f"{gpu}, driver {driver or 'unknown'}")


def deepstream_version(settings: Settings) -> str | None:
    """As its own file states it, such as 7.1; None where it is not installed."""
    try:
        text = (settings.deepstream.install / "version").read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(r"(\d+\.\d+)", text)
    return match[1] if match else None


def versions(settings: Settings) -> Iterator[Row]:
    """DeepStream, TensorRT and pyds, and whether they fit each other."""
    version, tensorrt = deepstream_version(settings), tensorrt_version()
    install = settings.deepstream.install
    if version is None:
        yield Row(
            "DeepStream", "failed", f"no {install}/version", "run inside NVIDIA's image, or name `deepstream.install`"
        )
    elif version in PYDS_OF or float(version) >= 9:
        yield Row("DeepStream", "fine", version)
    else:
        yield Row("DeepStream", "warning", f"{version}: not one of those this was written for", "use 7.1 or 9.x")
    if tensorrt is None:
        yield Row("TensorRT", "failed", "libnvinfer does not load", "run inside NVIDIA's image")
    else:
        yield Row("TensorRT", "fine", tensorrt)
    yield _pyds(version)
    if importlib.util.find_spec("pyservicemaker") is not None:
        yield _service_maker()


def _pyds(version: str | None) -> Row:
    if importlib.util.find_spec("pyds") is None:
        return Row(
            "pyds", "failed", "not installed", "install the wheel of your DeepStream, as docs/deepstream.md says"
        )
    try:
        own = importlib.metadata.version("pyds")
    except importlib.metadata.PackageNotFoundError:
        own = "of unknown version"
    wanted = PYDS_OF.get(version or "")
    if wanted and own != wanted:
        mend = f"install pyds {wanted}: another one reads wrong fields without a word"
        return Row("pyds", "failed", f"{own}, but DeepStream {version} needs {wanted}", mend)
    return Row("pyds", "fine", own)


def _service_maker() -> Row:
    """Whether the bindings of DeepStream 9 have what our back end for them reads; the engine itself reads by pyds."""
    command = [sys.executable, "-c", _CLASSES]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if asked.returncode:
        why = asked.stderr.strip().splitlines()[-1:] or ["it ends without a word"]
        return Row("pyservicemaker", "warning", why[0], "send the report; the engine does not need it")
    classes = [set(names) for names in json.loads(asked.stdout)]
    nearest = [
        min((wanted - own for own in classes), key=len, default=wanted)
        for wanted in (frozenset({"handle_metadata"}), SERVICE_MAKER_FRAME, SERVICE_MAKER_OBJECT)
    ]
    if lacking := sorted(name for names in nearest for name in names):
        detail = f"none of its classes has {', '.join(lacking)}"
        return Row("pyservicemaker", "warning", detail, "send the report; the engine does not need it")
    return Row("pyservicemaker", "fine", "has all fields that our back end for it reads")


def elements(settings: Settings) -> Iterator[Row]:
    """Each element: whether it is there, takes what we set, and differs from our lists."""
    gst = gstreamer()
    new_mux = wants_new_mux(os.environ)
    if not settings.cameras:
        return
    seen: set[str] = set()
    for element in build(settings, new_mux=new_mux, jetson=is_jetson()).elements:
        if element.kind in seen:
            continue
        seen.add(element.kind)
        made = gst.ElementFactory.make(element.kind, None)
        if made is None:
            yield Row(
                f"element {element.kind}", "failed", "not there", "see GST_DEBUG=2 gst-inspect-1.0 " + element.kind
            )
            continue
        names = {one.name for one in made.list_properties()}
        missing = [one.name for one in element.settings if one.name not in names]
        needed = [one.name for one in element.settings if one.name in missing and not one.optional]
        if needed:
            mend = "another version of DeepStream? send the report"
            yield Row(f"element {element.kind}", "failed", f"has no {', '.join(needed)}", mend)
            continue
        left_out = f"; not set, for it has no {', '.join(missing)}" if missing else ""
        differs = _differences(names, list_name(element.kind, new_mux=new_mux))
        yield Row(f"element {element.kind}", "fine", f"takes all we set{left_out}{differs}")


def _differences(names: set[str], listed_as: str) -> str:
    """How far its properties are from those of the nearest version that we have listed."""
    fits: tuple[int, str] | None = None
    for version in reversed(VERSIONS):  # the newest of those that fit equally well
        own = properties(version).get(listed_as)
        if own is None:
            continue
        lacking = sorted(own.keys() - names)
        if fits is None or len(lacking) < fits[0]:
            text = (
                f"; unlike {version} it has no {', '.join(lacking)}" if lacking else f"; has all that {version} lists"
            )
            fits = len(lacking), text
    return fits[1] if fits else ""


def parser(settings: Settings) -> Row:
    """Whether the stock parser is in its library."""
    path = settings.deepstream.install / configs.PARSER_LIBRARY
    if not path.is_file():
        return Row(
            "parser", "failed", f"{path}: no such file", "install DeepStream's samples, or name `deepstream.install`"
        )
    if configs.PARSER.encode() not in path.read_bytes():
        return Row(
            "parser", "failed", f"{path} has no {configs.PARSER}", "send the report: docs/deepstream.md has a way round"
        )
    return Row("parser", "fine", configs.PARSER)


def tracker(settings: Settings) -> Iterator[Row]:
    """Whether the tracker's library finds what it links, and knows the keys that we write."""
    library = settings.deepstream.install / "lib" / "libnvds_nvmultiobjecttracker.so"
    if not library.is_file():
        yield Row("tracker", "failed", f"{library}: no such file", "run inside NVIDIA's image")
        return
    if shutil.which("ldd") is None:
        yield Row("tracker", "skipped", "no ldd here")
    else:
        told = subprocess.run(["ldd", str(library)], capture_output=True, text=True, timeout=30, check=False).stdout
        lacking = [line.split("=>")[0].strip() for line in told.splitlines() if "not found" in line]
        mend = (
            "apt-get install libmosquitto1"
            if any("mosquitto" in one for one in lacking)
            else "run inside NVIDIA's image"
        )
        if lacking:
            yield Row("tracker", "failed", f"its library lacks {', '.join(lacking)}", mend)
        else:
            yield Row("tracker", "fine", "its library finds all it links")
    yield _tracker_keys(settings)


def _tracker_keys(settings: Settings) -> Row:
    sample = settings.deepstream.install / _SAMPLE_TRACKER
    if not sample.is_file():
        return Row("tracker file", "skipped", f"{sample}: no such file to compare with")
    known, ours = (_keys(text) for text in (sample.read_text(encoding="utf-8"), configs.tracker_config(settings)))
    unknown = sorted(ours - known)
    if unknown:
        return Row("tracker file", "warning", f"NVIDIA's sample has no {', '.join(unknown)}", "send the report")
    return Row("tracker file", "fine", "all its keys are in NVIDIA's sample")


def _keys(text: str) -> set[str]:
    parsed: Any = yaml.safe_load(re.sub(r"^%YAML.*\n", "", text))
    return {f"{section}.{key}" for section, own in parsed.items() for key in (own or {})}


def engines(settings: Settings) -> Iterator[Row]:
    """Whether the engine folder can be written, and the model is one for nvinfer."""
    folder = engine_folder(settings)
    model = prepare(settings)
    yield Row("engine folder", "fine", f"{folder}: writable, {shutil.disk_usage(folder).free // 2**20} MiB free")
    engine = model.engine(settings)
    if engine.is_file():
        yield Row("engine", "fine", f"{engine.name}: {engine.stat().st_size // 2**20} MiB")
    elif settings.deepstream.precision == "int8":
        yield Row(
            "engine", "failed", "none yet, and nvinfer can't build INT8", "run " + " ".join(model.trtexec(settings))
        )
    else:
        yield Row(
            "engine", "warning", f"{engine.name}: not built yet", "the dry run or the first start builds it: minutes"
        )
    wrong = configs.lint(configs.infer_config(settings, model, Path("labels.txt")))
    yield Row("nvinfer file", "failed" if wrong else "fine", "; ".join(wrong) or "passes the lint")
