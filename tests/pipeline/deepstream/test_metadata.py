"""The adapter against whatever a probe can meet."""

from __future__ import annotations

import ast
import gc
import json
import sys
import tracemalloc
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pipeline.deepstream import metadata
from pipeline.deepstream import strict_pyds as fake_pyds
from pipeline.deepstream.metadata import (
    MOST_WAITING,
    Handover,
    PydsBackend,
    ServiceMakerBackend,
    service_maker_operator,
)
from spotter.errors import SpotterError

from . import pyds_stub

ROOT = Path(__file__).parents[3]


class Buffer:
    """Something with an address."""


class Info:
    def __init__(self, buffer: Buffer | None) -> None:
        self._buffer = buffer

    def get_buffer(self) -> Buffer | None:
        return self._buffer


def frame(pad_index: int = 0, *objects: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {
        "pad_index": pad_index,
        "frame_num": 7,
        "buf_pts": 40_000_000,
        "ntp_timestamp": 1_767_225_600_000_000_000,
        "source_frame_width": 1280,
        "source_frame_height": 720,
        "bInferDone": 1,
        "batch_id": 5,
        "source_id": 99,
        "objects": objects,
        **other,
    }


def thing(
    class_id: int = 1, score: float = 0.8, box: tuple[float, ...] = (10, 20, 30, 40), **other: Any
) -> dict[str, Any]:
    return {"class_id": class_id, "confidence": score, "box": box, **other}


@pytest.fixture
def pyds(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = fake_pyds.module()
    monkeypatch.setitem(sys.modules, "pyds", made)
    return made


@pytest.fixture
def handover(pyds: ModuleType) -> Handover:
    return Handover(PydsBackend())


def seen(handover: Handover, *frames: dict[str, Any], abrupt: bool = False) -> list[Any]:
    buffer = Buffer()
    fake_pyds.attach(buffer, frames, abrupt=abrupt)
    assert handover.probe(None, Info(buffer)) == 1
    fake_pyds.release(buffer)
    taken = handover.take(0)
    return taken[1] if taken else []


@pytest.mark.parametrize("abrupt", [False, True], ids=["lists end in None", "lists end in StopIteration"])
def test_what_a_scene_needs_is_copied_and_outlives_the_batch(handover: Handover, abrupt: bool) -> None:
    first, second = thing(0, 0.9, (1, 2, 3, 4), object_id=5), thing(2, 0.3, (5, 6, 7, 8), object_id=6)
    one, two = seen(handover, frame(3, first, second), frame(1), abrupt=abrupt)
    assert (one.pad_index, one.number, one.pts_ns, one.width, one.height) == (3, 7, 40_000_000, 1280, 720)
    assert {tuple(each) for each in one.objects} == {(5, 0, 0.9, 1, 2, 3, 4), (6, 2, 0.3, 5, 6, 7, 8)}
    assert (two.pad_index, two.objects) == (1, ())


def test_untracked_objects_have_no_number(handover: Handover) -> None:
    (only,) = seen(handover, frame(0, thing(object_id=fake_pyds.UNTRACKED), thing(object_id=0)))
    assert {each.object_id for each in only.objects} == {None, 0}


def test_partial_batches_and_frames_without_inference_are_seen_as_such(handover: Handover) -> None:
    (only,) = seen(handover, frame(2, thing(score=-0.1), bInferDone=0))
    assert not only.looked_at
    assert only.objects is None
    assert seen(handover) == []


def test_buffers_without_metadata_or_without_a_buffer_pass(handover: Handover) -> None:
    assert handover.probe(None, Info(Buffer())) == 1
    assert handover.probe(None, Info(None)) == 1
    assert handover.take(0) is None
    assert handover.failed == 0


def test_an_exception_lets_the_buffer_pass_and_is_told_once(handover: Handover) -> None:
    broken = SimpleNamespace(get_buffer=lambda: 1 / 0)
    for count in range(1, 4):
        assert handover.probe(None, broken) == 1
        assert handover.failed == count
    assert handover.error == "ZeroDivisionError: division by zero"
    seen(handover, frame())
    assert handover.error is None


def test_a_field_of_the_wrong_kind_fails_one_batch_only(handover: Handover) -> None:
    buffer = Buffer()
    fake_pyds.attach(buffer, [frame(0, thing())])
    fake_pyds.release(buffer)
    fake_pyds._batches[hash(buffer)] = SimpleNamespace(frame_meta_list=SimpleNamespace(data="no capsule"))
    assert handover.probe(None, Info(buffer)) == 1
    assert handover.failed == 1
    assert seen(handover, frame(4))[0].pad_index == 4


def test_only_wanted_frames_are_copied(pyds: ModuleType) -> None:
    handover = Handover(PydsBackend(), lambda pad_index, pts_ns: pad_index == 1)
    unwanted, wanted = seen(handover, frame(0, thing()), frame(1, thing()))
    assert unwanted.objects is None
    assert len(wanted.objects) == 1


def test_a_queue_that_nobody_empties_keeps_the_newest_and_counts_the_others(handover: Handover) -> None:
    for number in range(MOST_WAITING + 10):
        buffer = Buffer()
        fake_pyds.attach(buffer, [frame(0, frame_num=number)])
        handover.probe(None, Info(buffer))
        fake_pyds.release(buffer)
    assert handover.dropped == 10
    taken = handover.take(0)
    assert taken is not None
    assert taken[1][0].number == 10


def test_nothing_grows(handover: Handover) -> None:
    def rounds(count: int) -> None:
        for _ in range(count):
            seen(handover, *(frame(pad, *(thing(object_id=n) for n in range(20))) for pad in range(8)))

    def held() -> int:
        """Bytes that the adapter and the stand-in have allocated; threads of other tests allocate as well."""
        gc.collect()
        ours = [tracemalloc.Filter(True, module.__file__) for module in (metadata, fake_pyds)]
        return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)

    def growth() -> int:
        before = held()
        rounds(50)
        return held() - before

    tracemalloc.start()
    rounds(30)
    grown = [growth() for _ in range(4)]
    tracemalloc.stop()
    # What leaks, leaks every time; a list that is enlarged once, or a thread of another test, does not.
    assert min(grown) < 10_000, f"{grown} bytes in 50 batches each"


def test_the_other_back_end_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pyservicemaker")
    module.BatchMetadataOperator = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyservicemaker", module)
    handover = Handover(ServiceMakerBackend())
    box = SimpleNamespace(left=1, top=2, width=3, height=4)
    objects = [SimpleNamespace(object_id=fake_pyds.UNTRACKED, class_id=1, confidence=0.5, rect_params=box)]
    item = SimpleNamespace(
        pad_index=2, frame_number=9, buffer_pts=1, ntp_timestamp=2, source_width=640, source_height=480,
        object_items=iter(objects),
    )  # fmt: skip
    service_maker_operator(handover).handle_metadata(SimpleNamespace(frame_items=iter([item])))
    taken = handover.take(0)
    assert taken is not None
    (only,) = taken[1]
    assert only == (2, 9, 1, 2, 640, 480, True, ((None, 1, 0.5, 1, 2, 3, 4),))


def test_missing_bindings_are_told_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyds", None)
    with pytest.raises(SpotterError, match="install the wheel"):
        PydsBackend()


def test_the_fake_has_the_fields_of_the_stubs() -> None:
    stub = pyds_stub.stub()
    if stub is None:
        pytest.skip("pyds-stubs is not installed")
    assert json.loads(fake_pyds.FIELDS.read_text(encoding="utf-8")) == pyds_stub.read(stub)


def test_the_fake_is_strict() -> None:
    life = fake_pyds.Life()
    with pytest.raises(AttributeError):
        fake_pyds.NvDsFrameMeta(life, pipeline_width=1)
    one = fake_pyds.NvDsFrameMeta(life, pad_index=1)
    with pytest.raises(AttributeError):
        one.pad = 2
    with pytest.raises(TypeError):
        fake_pyds.NvDsObjectMeta.cast(fake_pyds.Capsule(one, life))
    life.end()
    with pytest.raises(AttributeError):
        _ = one.pad_index


def test_only_the_adapter_imports_nvidias_bindings() -> None:
    for path in (ROOT / "pipeline").rglob("*.py"):
        names = {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
        }
        if path.name != "metadata.py":
            assert not names & {"pyds", "pyservicemaker"}, path
