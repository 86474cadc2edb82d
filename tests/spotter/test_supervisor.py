"""The supervisor: order, restarts with growing waits, output, a quick clean stop."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spotter import supervisor
from spotter.supervisor import Part, Supervisor

FOR_EVER = "import time; time.sleep(600)"


def part(name: str, code: str, ready: Callable[[], bool] = lambda: True, announces: bool = True) -> Part:
    return Part(name, [sys.executable, "-c", code], ready=ready, announces=announces)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(*parts: Part, announce: Callable[[str], None] = lambda line: None) -> Supervisor:
        made.append(Supervisor(parts, tmp_path / "logs", announce))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def tick_until(one: Supervisor, condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, [(p.name, p.state, p.last_line) for p in one.parts]
        one.tick()
        time.sleep(0.02)


def test_a_part_starts_only_when_the_one_before_is_ready(run: Callable[..., Supervisor]) -> None:
    ready = False
    first, second = part("first", FOR_EVER, ready=lambda: ready), part("second", FOR_EVER)
    one = run(first, second)
    for _ in range(5):
        one.tick()
    assert (first.state, second.state) == ("running", "waiting")
    ready = True
    one.tick()
    assert second.state == "running"


def test_a_killed_part_comes_back_and_the_others_stay(run: Callable[..., Supervisor]) -> None:
    victim, witness = part("victim", FOR_EVER), part("witness", FOR_EVER)
    one = run(victim, witness)
    one.tick()
    assert victim.process is not None
    assert witness.process is not None
    before, other = victim.process.pid, witness.process.pid
    os.kill(before, signal.SIGKILL)
    tick_until(one, lambda: victim.state == "running" and victim.process is not None and victim.process.pid != before)
    assert victim.restarts == 1
    assert witness.process.pid == other


def test_waits_grow_up_to_a_bound(run: Callable[..., Supervisor]) -> None:
    failing = part("failing", "raise SystemExit(3)")
    one = run(failing)
    now, waits = 1000.0, []
    for _ in range(9):
        one.tick(now)
        assert failing.process is not None
        failing.process.wait()
        one.tick(now)
        waits.append(failing.restart_at - now)
        now = failing.restart_at
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == supervisor.LONGEST_WAIT_SECONDS


def test_a_start_that_the_system_refuses_is_tried_again_and_the_others_stay(run: Callable[..., Supervisor]) -> None:
    witness, victim = part("witness", FOR_EVER), part("victim", "raise SystemExit(3)")
    one = run(witness, victim)
    one.tick(1000.0)
    assert victim.process is not None
    victim.process.wait()
    good, victim.command = victim.command, ["/no/such/program"]
    one.tick(1001.0)
    for now, wait in ((1001.5, 1.0), (1002.5, 2.0), (1004.5, 4.0)):
        one.tick(now)
        assert (victim.state, victim.restart_at - now) == ("restarting", wait)
        assert "victim can't be started ([Errno 2] No such file" in victim.last_line
        assert one.failed_to_start() is None
    victim.command = good
    one.tick(victim.restart_at)
    assert (victim.state, witness.state) == ("running", "running")


def test_a_first_start_that_the_system_refuses_twice_is_hopeless(run: Callable[..., Supervisor]) -> None:
    missing = Part("missing", ["/no/such/program"])
    one = run(missing)
    one.tick(1000.0)
    assert one.failed_to_start() is None
    one.tick(missing.restart_at)
    assert one.failed_to_start() is missing


def test_a_first_start_that_fails_at_once_is_reported_with_its_words(run: Callable[..., Supervisor]) -> None:
    broken = part("broken", "import sys; print('error: no weights', file=sys.stderr); sys.exit(1)")
    one = run(broken)
    tick_until(one, lambda: one.failed_to_start() is broken and broken.last_line != "")
    assert broken.last_line == "error: no weights"
    assert broken.exit_code == 1


def test_what_a_part_says_is_announced_and_what_it_logs_is_kept(run: Callable[..., Supervisor], tmp_path: Path) -> None:
    said: list[str] = []
    talker = part("talker", f"import sys; print('hello'); print('a log line', file=sys.stderr, flush=True); {FOR_EVER}")
    one = run(talker, announce=said.append)
    log = tmp_path / "logs" / "talker.log"
    tick_until(one, lambda: said == ["hello"] and log.exists() and log.read_text() == "a log line\n")


def test_what_is_not_for_the_person_goes_to_the_log(run: Callable[..., Supervisor], tmp_path: Path) -> None:
    said: list[str] = []
    one = run(part("server", f"print('chatter', flush=True); {FOR_EVER}", announces=False), announce=said.append)
    log = tmp_path / "logs" / "server.log"
    tick_until(one, lambda: log.exists() and log.read_text() == "chatter\n")
    assert said == []


def test_stop_ends_even_a_part_that_does_not_listen_within_five_seconds(
    run: Callable[..., Supervisor], tmp_path: Path
) -> None:
    mark = tmp_path / "deaf"
    stubborn = part(
        "stubborn",
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(mark)!r}).touch(); time.sleep(600)",
    )
    one = run(stubborn)
    tick_until(one, mark.exists)
    before = time.monotonic()
    one.stop()
    assert time.monotonic() - before < 5
    assert stubborn.process is not None
    assert stubborn.process.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel to end orphans")
def test_no_orphan_is_left_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from spotter.supervisor import Part, Supervisor; "
        f"one = Supervisor([Part('child', [sys.executable, '-c', {FOR_EVER!r}])], Path({str(tmp_path)!r}), print); "
        "one.tick(); print(one.parts[0].process.pid, flush=True); time.sleep(600)"
    )
    import subprocess

    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() < deadline, "the child outlived its supervisor"
        time.sleep(0.05)
