"""Zones that change while something is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import select

from consumers.facts import SessionFact, StateFact
from consumers.interpreter import Interpreter, Restored, StoredState, restore
from consumers.layout import Layout, layout_of_document, layout_of_settings
from consumers.place import Waiting
from consumers.view import view_of
from spotter.cli import cli
from spotter.database.tables import InterpreterStateRow, UsageSessionRow
from spotter.events import Scene
from spotter.settings import Settings, load

from .chain import Chain
from .scenes import FakePipeline, Film, person
from .servers import Server

BENCH = "{kind: station, equipment: bench, polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}"
HERE = [person("p", 0.2, 0.9)]


def two(one: str, other: str) -> str:
    return f"site: gym\ncameras: {{a: {{uri: a.mp4, zones: {{{one}}}}}, b: {{uri: b.mp4, zones: {{{other}}}}}}}\n"


@pytest.fixture
def layout(gym: Callable[[str], Settings]) -> Callable[[str, str], Layout]:
    return lambda one, other: layout_of_settings(gym(two(one, other)))


def told(interpreter: Interpreter, scenes: list[Scene]) -> list[tuple[str, str | None]]:
    facts = [fact for one in scenes for fact in interpreter.feed(view_of(one))]
    return [(fact.type, fact.ended_by) for fact in facts if isinstance(fact, SessionFact)]


def reopened(interpreter: Interpreter, layout: Layout) -> Restored:
    states = [StoredState(name, 1, place.dump()) for name, place in interpreter.places.items()]
    waiting = [
        Waiting(entry.view, b"", stored=True)
        for place in interpreter.places.values()
        for queue in place.queues.values()
        for entry in queue
    ]
    return restore(layout, states, waiting)


def test_a_layout_comes_back_from_the_database_as_it_was(layout: Callable[[str, str], Layout]) -> None:
    made = layout(f"x: {BENCH}, queue: {{kind: waiting, for: [x], polygon: [[0, 0], [1, 0], [1, 1]]}}", f"x: {BENCH}")
    again = layout_of_document("gym", 0, made.document())
    assert again == made
    assert again.document() == made.document()


def test_a_camera_whose_name_is_a_number_is_exported_with_its_zones(tmp_path: Path) -> None:
    config = tmp_path / "gym.yaml"
    zone = {"kind": "station", "equipment": "bench", "polygon": [[0, 0], [0.5, 0], [0.5, 1]]}
    config.write_text(
        yaml.safe_dump({"site": "gym", "cameras": {1: {"uri": "rtsp://10.0.0.1/x", "zones": {"x": zone}}}})
    )
    exported = tmp_path / "exported.yaml"
    for command in (["import"], ["export", "--out", str(exported)]):
        done = CliRunner().invoke(cli, ["layout", *command, "--config", str(config)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    assert load(exported, {}).cameras == load(config, {}).cameras


def test_a_unit_that_is_gone_ends_its_session(layout: Callable[[str, str], Layout]) -> None:
    interpreter = Interpreter(layout(f"x: {BENCH}", ""))
    film = Film("a").show(HERE, 20)
    assert told(interpreter, film.scenes)[0] == ("started", None)
    restored = reopened(interpreter, layout(f"y: {BENCH}", ""))
    assert [(f.ended_by, f.unit) for f in restored.facts if isinstance(f, SessionFact)] == [("layout", "x")]
    assert restored.stale == []
    seen = len(film.scenes)
    assert told(restored.interpreter, film.show(HERE, 20).scenes[seen:])[0] == ("started", None)


@pytest.mark.parametrize(
    ("before", "after", "stale"),
    [
        (("x: B", "y: B"), ("x: B", "x: B"), ["a", "b"]),
        (("x: B", "x: B"), ("x: B", "y: B"), ["a+b"]),
    ],
    ids=["joined", "parted"],
)
def test_cameras_that_are_joined_or_parted_keep_what_is_open(
    layout: Callable[[str, str], Layout], before: tuple[str, str], after: tuple[str, str], stale: list[str]
) -> None:
    old, new = (layout(*(text.replace("B", BENCH) for text in texts)) for texts in (before, after))
    films = [Film("a").show(HERE, 20), Film("b").show([], 20)]
    interpreter = Interpreter(old)
    begun = told(interpreter, sorted([*films[0].scenes, *films[1].scenes], key=lambda one: one.time))
    assert begun[0] == ("started", None)
    restored = reopened(interpreter, new)
    assert [fact for fact in restored.facts if not isinstance(fact, StateFact)] == []
    assert restored.stale == stale
    seen = len(films[0].scenes)
    later = [*films[0].show([], 40).scenes[seen:], *films[1].show([], 40).scenes[seen:]]
    assert told(restored.interpreter, sorted(later, key=lambda one: one.time)) == [("ended", "left")]


@pytest.fixture
def chain(tmp_path: Path, broker: Server, redis_process: Server, database_url: str) -> Iterator[Chain]:
    chain = Chain(tmp_path, broker, redis_process, database_url, two(f"x: {BENCH}", f"x: {BENCH}"))
    yield chain
    chain.stop()


def test_new_zones_take_over_from_old_ones_in_the_database(chain: Chain) -> None:
    assert chain.settings.mqtt is not None
    pipeline = FakePipeline(chain.settings.mqtt)
    films = [Film("a"), Film("b")]

    def send(here: bool, seconds: float) -> None:
        for film in films:
            seen = len(film.scenes)
            for scene in film.show(HERE if here else [], seconds).scenes[seen:]:
                pipeline.add(scene)
        pipeline.wait_until_committed(60)

    try:
        chain.start()
        send(True, 20)
        chain.processes["usage"].terminate()
        chain.processes["usage"].wait(10)
        chain.config.write_text(chain.text.replace("{x:", "{z:", 1))  # camera a: another unit
        chain.start("usage")
        send(True, 20)
        send(False, 30)
        with chain.engine.connect() as connection:
            row = UsageSessionRow
            query = select(row.unit, row.ended_by, row.layout_version).order_by(row.unit)
            assert [tuple(found) for found in connection.execute(query)] == [("x", "left", 1), ("z", "left", 2)]
            places = connection.scalars(select(InterpreterStateRow.place).order_by(InterpreterStateRow.place))
            assert list(places) == ["a", "b"]
    finally:
        pipeline.close()
