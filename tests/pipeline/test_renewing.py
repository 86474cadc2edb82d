"""Another detector is taken up while cameras are watched, and no scene is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx

from pipeline.renewing import RenewingFinder
from spotter.events import Scene, Status, parse
from spotter.model_store import ModelCard, ModelStore, now
from spotter.settings import Settings

from .broker import Listener, Mosquitto
from .staging import picture, write_clip
from .test_service import Pipeline, busy_room, settings_for, start  # noqa: F401 - start is a fixture
from .weights import write_weights


def named(folder: Path, *labels: str) -> Path:
    """The constant detector with other class names."""
    path = write_weights(folder / "made.onnx")
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {"names": str(list(labels)), "size": "64"})
    onnx.save(model, str(path))
    return path


def add(store: ModelStore, name: str, *labels: str) -> None:
    store.folder.mkdir(parents=True, exist_ok=True)
    store.add(ModelCard(name=name, labels=labels, size=64, added=now()), named(store.folder, *labels))


def test_pictures_are_looked_at_by_the_detector_they_were_prepared_for(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    add(store, "one", "person", "kettlebell")
    add(store, "two", "person", "dumbbell")
    store.use("one")
    finder = RenewingFinder(Settings(data=tmp_path))
    before = finder.prepare([picture()])
    store.use("two")
    finder.look()
    after = finder.prepare([picture()])
    assert set(finder.find(before)[0].data["class_name"]) == {"person", "kettlebell"}
    assert set(finder.find(after)[0].data["class_name"]) == {"person", "dumbbell"}


def test_a_detector_that_cannot_be_opened_leaves_the_old_one_at_work(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    add(store, "one", "person", "kettlebell")
    add(store, "two", "person", "dumbbell")
    store.use("one")
    finder = RenewingFinder(Settings(data=tmp_path))
    store.use("two")
    (store.folder / "two" / "model.onnx").write_bytes(b"damaged")
    finder.look()
    assert "kettlebell" in finder.find(finder.prepare([picture()]))[0].data["class_name"]
    store.use("one")
    finder.look()
    assert "kettlebell" in finder.find(finder.prepare([picture()]))[0].data["class_name"]


def test_a_running_pipeline_takes_up_another_model_without_losing_a_scene(
    mosquitto: Mosquitto,
    listener: Listener,
    tmp_path: Path,
    start: Callable[..., Pipeline],  # noqa: F811
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 3, busy_room)
    store = ModelStore(tmp_path / "data" / "models")
    add(store, "old", "person", "kettlebell")
    add(store, "new", "person", "dumbbell")
    store.use("old")
    settings = settings_for(mosquitto, tmp_path / "none", {"rack": {"uri": str(clip), "loop": True}})
    del settings["model"]
    pipeline = start(settings)
    scenes: list[Scene] = []
    states: list[str] = []

    def seen(label: str) -> Callable[[str, bytes], bool]:
        def matches(topic: str, payload: bytes) -> bool:
            if topic.endswith("/status"):
                states.append(parse(Status, payload).state)
            if not topic.endswith("/scene"):
                return False
            scenes.append(parse(Scene, payload))
            return any(thing.label == label for thing in scenes[-1].objects)

        return matches

    listener.until(seen("kettlebell"), 30)
    store.use("new")
    listener.until(seen("dumbbell"), 30)
    listener.until(lambda topic, payload: seen("none")(topic, payload) or len(scenes) > 6, 30)
    assert "offline" not in states[1:]
    assert len({scene.stream for scene in scenes}) == 1
    numbers = sorted({scene.seq for scene in scenes})
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    ids = {thing.id: thing.label for scene in scenes for thing in scene.objects}
    assert "dumbbell" in ids.values()
    assert all(ids[thing.id] == thing.label for scene in scenes for thing in scene.objects)
    assert "model_in_use" in pipeline.text()
