"""The detectors of an installation: added whole, chosen in one step, never used when changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spotter.errors import SettingsError, WeightsError
from spotter.model_store import SHIPPED, ModelCard, ModelStore, now
from spotter.settings import Settings
from spotter.weights import weights_in_use, weights_path


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def add(store: ModelStore, name: str, content: bytes = b"weights", **more: object) -> Path:
    source = store.folder.parent / "source.onnx"
    source.write_bytes(content)
    card = ModelCard(name=name, labels=("person",), size=640, added=now())
    return store.add(card, source, **more)  # type: ignore[arg-type]


def test_a_model_is_added_used_and_rolled_back(store: ModelStore) -> None:
    assert store.in_use().model == SHIPPED
    assert store.chosen() is None
    folder = add(store, "spring", scores={"overall": {"mAP50": 0.5}})
    assert sorted(p.name for p in folder.iterdir()) == ["SHA256", "card.json", "model.onnx", "scores.json"]
    add(store, "summer")
    versions = [store.version()]
    for name in ("spring", "summer", "summer"):
        store.use(name)
        versions.append(store.version())
    assert store.chosen() == store.folder / "summer" / "model.onnx"
    assert len(set(versions)) == 3  # using what is in use changes nothing
    assert [store.roll_back(), store.roll_back()] == ["spring", SHIPPED]
    with pytest.raises(SettingsError, match="no model was in use before 'shipped'"):
        store.roll_back()
    assert store.names() == ["spring", "summer"]
    assert store.scores("spring") == {"overall": {"mAP50": 0.5}}
    assert store.scores("summer") is None


def test_a_copy_that_cannot_be_opened_leaves_what_stands_there(store: ModelStore) -> None:
    def refuse(copy: Path) -> None:
        raise WeightsError(f"{copy.name} holds {copy.read_bytes()!r}")

    add(store, "spring")
    with pytest.raises(WeightsError, match=r"model\.onnx holds b'broken'"):
        add(store, "spring", b"broken", replace=True, try_out=refuse)
    assert store.weights("spring").read_bytes() == b"weights"
    assert [path.name for path in store.folder.iterdir()] == ["spring"]


def test_a_taken_name_is_refused_and_a_replaced_model_is_told(store: ModelStore) -> None:
    add(store, "spring")
    store.use("spring")
    with pytest.raises(SettingsError, match="there is one of this name"):
        add(store, "spring", b"other")
    before = store.version()
    add(store, "spring", b"other", replace=True)
    assert store.weights("spring").read_bytes() == b"other"
    assert store.version() != before
    for name in (SHIPPED, "../up", "", "a/b"):
        with pytest.raises((SettingsError, WeightsError)):
            add(store, name)


def test_a_changed_file_is_never_used(store: ModelStore) -> None:
    folder = add(store, "spring")
    (folder / "model.onnx").write_bytes(b"tampered")
    with pytest.raises(WeightsError, match="was changed since it was added"):
        store.use("spring")
    with pytest.raises(WeightsError, match=r"'none': not in .* .there are: spring, shipped"):
        store.use("none")


def test_damaged_files_are_named_with_the_mend(store: ModelStore) -> None:
    folder = add(store, "spring")
    store.pointer.write_text("{")
    with pytest.raises(WeightsError, match=r"in-use\.json: damaged"):
        store.chosen()
    store.use("spring")
    assert store.in_use().model == "spring"
    (folder / "card.json").write_text(json.dumps({"name": "spring"}))
    with pytest.raises(WeightsError, match=r"its card\.json is damaged"):
        store.weights("spring")


def test_the_settings_go_before_the_choice_and_the_choice_before_the_shipped_one(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert weights_in_use(settings) == weights_path(None)
    store = ModelStore(tmp_path / "models")
    add(store, "spring")
    store.use("spring")
    assert weights_in_use(settings) == store.folder / "spring" / "model.onnx"
    own = tmp_path / "own.onnx"
    own.write_bytes(b"own")
    assert weights_in_use(settings.model_copy(update={"model": own})) == own
