from __future__ import annotations

import errno
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from pipeline.keeper import Keeper
from pipeline.outbox import ROW_OVERHEAD_BYTES, Outbox
from pipeline.scene import Draft
from pipeline.stream_id import run_prefix
from spotter.errors import ServerError, SpotterError
from spotter.events import Committed, Scene, parse

from .staging import START

SITE = "downtown"


def draft(camera: str = "rack", site: str = SITE) -> Draft:
    return Draft(site, camera, START, (320, 180), True, ())


def open_outbox(path: Path, *, hours: float = 24, mebibytes: float = 64, clock=time.time) -> Outbox:
    return Outbox(path, hours=hours, mebibytes=mebibytes, clock=clock)


def kept(outbox: Outbox, camera: str = "rack") -> list[Scene]:
    rows = outbox.pending(outbox.stream(SITE, camera), 0, 10**6)
    scenes = [parse(Scene, body) for _, body in rows]
    assert [scene.seq for scene in scenes] == [seq for seq, _ in rows]
    return scenes


def commit(outbox: Outbox, seq: int, camera: str = "rack", stream: str | None = None) -> str:
    stream = stream or outbox.stream(SITE, camera).stream
    return outbox.commit(SITE, camera, Committed(stream=stream, seq=seq))


def test_numbers_go_on_after_a_restart_and_runs_differ(tmp_path: Path) -> None:
    first = open_outbox(tmp_path / "outbox.db")
    assert first.append([draft(), draft()]) == [0, 1]
    stream = first.stream(SITE, "rack").stream
    first.close()
    second = open_outbox(tmp_path / "outbox.db")
    assert second.append([draft()]) == [2]
    assert second.stream(SITE, "rack").stream == stream
    assert second.run == first.run + 1


def test_cameras_are_numbered_apart(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox.db")
    assert outbox.append([draft("a"), draft("b"), draft("a")]) == [0, 0, 1]
    assert [scene.camera for scene in kept(outbox, "a")] == ["a", "a"]


def test_committed_scenes_are_forgotten_and_the_floor_tells_so(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox.db")
    outbox.append([draft()] * 5)
    assert commit(outbox, 2) == "taken"
    assert [(scene.seq, scene.floor) for scene in kept(outbox)] == [(3, 3), (4, 3)]


def test_a_commit_of_another_stream_changes_nothing(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox.db")
    outbox.append([draft()] * 3)
    assert commit(outbox, 2, stream="01OTHER00000") == "other_stream"
    assert len(kept(outbox)) == 3


def test_a_database_restored_from_a_backup_is_noticed(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox.db")
    outbox.append([draft()] * 5)
    commit(outbox, 3)
    assert commit(outbox, 1) == "behind"
    assert commit(outbox, 3) == "taken"
    assert [scene.seq for scene in kept(outbox)] == [4]


def test_a_restored_outbox_never_uses_numbers_twice(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    before = open_outbox(path)
    before.append([draft()] * 3)
    old_stream = before.stream(SITE, "rack").stream
    before.close()
    restored = open_outbox(path)  # the database has gone on to 9 with scenes that this backup does not know
    restored.append([draft()] * 2)
    assert commit(restored, 9) == "renewed"
    scenes = kept(restored)
    assert [scene.seq for scene in scenes] == [0, 1]
    assert {scene.stream for scene in scenes} == {restored.stream(SITE, "rack").stream} != {old_stream}
    assert restored.append([draft()]) == [2]


def test_a_damaged_file_is_moved_aside_and_new_streams_begin(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "outbox.db"
    first = open_outbox(path)
    first.append([draft()] * 200)
    old_stream = first.stream(SITE, "rack").stream
    first.close()
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)
    second = open_outbox(path)
    assert second.append([draft()]) == [0]
    assert second.stream(SITE, "rack").stream != old_stream
    assert list(tmp_path.glob("outbox.db.damaged-*"))
    assert "outbox_damaged" in "".join(capfd.readouterr())


def test_a_file_that_is_no_database_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"this is not a database at all" * 100)
    assert open_outbox(path).append([draft()]) == [0]


def damage(outbox: Outbox) -> None:
    """Damage that shows when the file is used next."""
    good = outbox._connection

    class Damaged:
        def execute(self, *_: object) -> None:
            raise sqlite3.DatabaseError("database disk image is malformed")

        def close(self) -> None:
            good.close()
            if outbox.path.exists():  # it is not moved aside yet
                outbox.path.write_bytes(b"\xff" * 20_000)

    outbox._connection = Damaged()  # type: ignore[assignment]


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A file system that takes no more, until `undo`: what Linux makes of a dying SD card."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        yield patched


def test_damage_that_shows_while_running_begins_new_streams(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox.db")
    outbox.append([draft()] * 3)
    before = outbox.stream(SITE, "rack").stream
    damage(outbox)
    assert outbox.append([draft()]) == [0]
    assert outbox.stream(SITE, "rack").stream != before


def test_a_damaged_file_that_cant_be_moved_is_told_and_healed_once_it_can(
    tmp_path: Path, read_only: pytest.MonkeyPatch
) -> None:
    outbox = open_outbox(tmp_path / "outbox.db")
    outbox.append([draft()] * 3)
    before = outbox.stream(SITE, "rack").stream
    damage(outbox)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match=r"can't be moved aside \(Read-only file system\)"):
            outbox.append([draft()])
    with pytest.raises(SpotterError, match="check the disk"):
        open_outbox(tmp_path / "outbox.db")
    read_only.undo()
    assert outbox.append([draft()]) == [0]
    assert outbox.stream(SITE, "rack").stream != before


def test_scenes_wait_in_memory_while_the_disk_dies(
    tmp_path: Path, read_only: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.keeper._RETRY_SECONDS", 0.02)
    outbox, kept_seqs = open_outbox(tmp_path / "outbox.db"), list[int]()
    keeper = Keeper(outbox, lambda _, seq: kept_seqs.append(seq))
    damage(outbox)
    keeper.start()
    keeper.put(draft())
    eventually(lambda: keeper.failing and "can't be moved aside" in keeper.failing)
    read_only.undo()
    eventually(lambda: kept_seqs == [0])
    assert (keeper.failing, keeper.lost) == (None, 0)
    keeper.stop(1)


def test_the_keeper_outlives_whatever_it_meets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.keeper._RETRY_SECONDS", 0.02)
    outbox, kept_seqs = open_outbox(tmp_path / "outbox.db"), list[int]()
    keeper = Keeper(outbox, lambda _, seq: kept_seqs.append(seq))
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "append", lambda _: 1 / 0)
        keeper.start()
        keeper.put(draft())
        eventually(lambda: keeper.failing == "ZeroDivisionError: division by zero")
    eventually(lambda: kept_seqs == [0])
    keeper.stop(1)


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_two_pipelines_never_share_an_outbox(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox.db")
    outbox.append([draft()])
    with pytest.raises(ServerError, match="another pipeline uses it"):
        open_outbox(tmp_path / "outbox.db")


def test_scenes_that_are_too_old_are_dropped_and_counted(tmp_path: Path) -> None:
    now = [1_000_000.0]
    outbox = open_outbox(tmp_path / "outbox.db", hours=1, clock=lambda: now[0])
    outbox.append([draft()] * 4)
    now[0] += 3700
    outbox.append([draft()])
    assert [(scene.seq, scene.floor) for scene in kept(outbox)] == [(4, 4)]
    assert outbox.dropped == 4


def test_the_size_bound_takes_from_the_camera_whose_scenes_are_oldest(tmp_path: Path) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    size = len(draft().numbered("x" * 12, 0, 0).to_json()) + ROW_OVERHEAD_BYTES
    outbox = open_outbox(tmp_path / "outbox.db", mebibytes=6.2 * size / 2**20, clock=clock)
    for camera in ("a", "a", "a", "b", "b", "b", "b", "b"):
        outbox.append([draft(camera)])
    assert [scene.seq for scene in kept(outbox, "a")] == [2]
    assert [scene.seq for scene in kept(outbox, "b")] == [0, 1, 2, 3, 4]
    assert outbox.dropped == 2


def test_keeping_a_scene_takes_about_a_millisecond_at_most(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox.db")
    outbox.append([draft()])
    began = time.perf_counter()
    for _ in range(10):
        outbox.append([draft()] * 100)
    assert (time.perf_counter() - began) / 1000 < 0.002


def test_a_million_restarts_give_different_track_ids() -> None:
    assert len({run_prefix(run) for run in range(50_000)}) == 50_000


class OutboxMachine(RuleBasedStateMachine):
    """Any sequence of appends, commits, crashes and drops, against a list."""

    cameras = Bundle("cameras")

    @initialize(bound=st.sampled_from([5.2, 20.2, 1000]))
    def begin(self, bound: float) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spotter-outbox-"))
        self.generation = 0
        size = len(draft("a").numbered("x" * 12, 0, 0).to_json()) + ROW_OVERHEAD_BYTES + 6
        self.mebibytes = bound * size / 2**20
        self.outbox = self._open()
        self.kept: dict[str, list[int]] = {"a": [], "b": []}
        self.next = {"a": 0, "b": 0}
        self.dropped = 0

    def _open(self) -> Outbox:
        return open_outbox(self.folder / str(self.generation) / "outbox.db", mebibytes=self.mebibytes)

    @rule(cameras=st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=8))
    def append(self, cameras: list[str]) -> None:
        before = self.outbox.dropped
        seqs = self.outbox.append([draft(camera) for camera in cameras])
        for camera, seq in zip(cameras, seqs, strict=True):
            assert seq == self.next[camera], "seq is unbroken"
            self.next[camera] += 1
            self.kept[camera].append(seq)
        dropped = 0
        for camera, waiting in self.kept.items():
            floor = self.outbox.stream(SITE, camera).floor
            dropped += sum(seq < floor for seq in waiting)
            self.kept[camera] = [seq for seq in waiting if seq >= floor]
        assert self.outbox.dropped - before == dropped, "what is dropped is counted"

    @rule(camera=st.sampled_from(["a", "b"]), seq=st.integers(0, 60))
    def commit(self, camera: str, seq: int) -> None:
        if seq < self.next[camera]:
            assert commit(self.outbox, seq, camera) in ("taken", "behind")
            self.kept[camera] = [one for one in self.kept[camera] if one > seq]

    @rule()
    def crash(self) -> None:
        """What a power cut leaves: the files as they are, without a goodbye."""
        old = self.folder / str(self.generation)
        self.generation += 1
        shutil.copytree(old, self.folder / str(self.generation))
        self.outbox.close()
        self.outbox = self._open()

    @invariant()
    def what_is_not_committed_is_kept_and_the_floor_is_true(self) -> None:
        if not hasattr(self, "outbox"):
            return
        for camera, waiting in self.kept.items():
            scenes = kept(self.outbox, camera)
            assert [scene.seq for scene in scenes] == waiting
            stream = self.outbox.stream(SITE, camera)
            assert (stream.floor, stream.next_seq) == (waiting[0] if waiting else self.next[camera], self.next[camera])
            assert all(scene.floor == stream.floor for scene in scenes)

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
            shutil.rmtree(self.folder, ignore_errors=True)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_the_kept_json_is_the_scene_of_the_contract(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox.db")
    outbox.append([draft()] * 2)
    commit(outbox, 0)
    (_, body), *_ = outbox.pending(outbox.stream(SITE, "rack"), 0, 10)
    assert json.loads(body) == json.loads(draft().numbered(outbox.stream(SITE, "rack").stream, 1, 1).to_json())
