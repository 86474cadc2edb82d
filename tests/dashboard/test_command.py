"""`spotter dashboard` and `spotter user` as a person runs them, with the real server."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from dashboard.cli import user
from spotter.errors import SpotterError

from .gym import GYM, PASSWORD, Command, Gym, free_port, wait_for


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_it_serves_on_a_free_port_and_stops_soon(gym: Gym, run: Callable[..., Command]) -> None:
    gym.well()
    command = run("dashboard", "--port", "0")
    port = int(command.printed(r"Dashboard: http://127\.0\.0\.1:(\d+)$"))
    link = command.printed(r"Set up Spotter: http://127\.0\.0\.1:\d+(/setup/\S+)$")
    assert get(port, link)[0] == 200
    assert get(port, "/healthz")[0] in (200, 503)
    # A page that stays open must not hold the stop up.
    idle = socket.create_connection(("127.0.0.1", port))
    before = time.monotonic()
    command.process.send_signal(signal.SIGTERM)
    code, _ = command.ended()
    assert code == 0
    assert time.monotonic() - before < 4
    idle.close()
    again = run("dashboard", "--port", str(port))
    again.printed("Dashboard: (.*)")
    newer = again.printed(r"Set up Spotter: http://127\.0\.0\.1:\d+(/setup/\S+)$")
    assert newer != link
    assert get(port, link)[0] == 404


def test_no_link_is_printed_once_somebody_may_sign_in(gym: Gym, run: Callable[..., Command]) -> None:
    gym.add()
    command = run("dashboard", "--port", "0")
    port = int(command.printed(r"Dashboard: http://127\.0\.0\.1:(\d+)$"))
    assert get(port, "/login")[0] == 200
    assert not any("Set up" in line for line in command.lines)


def test_a_port_in_use_is_one_line(gym: Gym, run: Callable[..., Command]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, error = run("dashboard", "--port", str(port)).ended()
    assert code == 1
    mend = "choose another with --port, or `dashboard.port`"
    assert error.strip() == f"error: dashboard 127.0.0.1:{port}: the port is in use; {mend}"


def test_missing_tables_and_servers_are_one_line_each(gym: Gym, run: Callable[..., Command]) -> None:
    gym.settings.sqlite_path.unlink()
    code, error = run("dashboard", "--port", "0").ended()
    assert code == 1
    assert "spotter db upgrade" in error
    assert len(error.strip().splitlines()) == 1
    assert gym.settings.redis is not None
    lonely = subprocess.run(
        [sys.executable, "-m", "spotter", "dashboard"],
        cwd=gym.settings.data.parent,
        env={"PATH": "/usr/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert lonely.returncode == 2
    assert "SPOTTER_REDIS_URL" in lonely.stderr
    assert "spotter up" in lonely.stderr


def test_people_are_added_listed_and_removed(gym: Gym) -> None:
    config = gym.settings.data.parent / "gym.yaml"
    config.write_text(GYM)

    def done(*arguments: str, text: str = "") -> str:
        result = CliRunner().invoke(user, [arguments[0], "--config", str(config), *arguments[1:]], input=text)
        if isinstance(result.exception, SpotterError):
            return f"error: {result.exception}"
        return result.output.strip()

    assert done("add", "Tina", "--role", "trainer", text=PASSWORD + "\n") == "Tina may sign in (trainer)."
    assert "already somebody called Tina" in done("add", "Tina", text=PASSWORD + "\n")
    assert "at least 10 characters" in done("add", "Bob", text="short\n")
    assert "is not one of" in done("add", "Bob", "--role", "king")
    assert "Tina\ttrainer" in done("list")
    assert done("password", "Tina", text="a new few words\n") == "Tina has a new password."
    assert "nobody called Bob" in done("password", "Bob", text="a new few words\n")
    assert done("role", "Tina", "owner", "--every-site") == "Tina is now owner at every site."
    assert "already" in done("two-step-off", "Tina")
    assert "at every site" in done("list")
    assert done("remove", "Tina") == "Tina may no longer sign in."
    assert "nobody called Tina" in done("remove", "Tina")


def test_a_killed_dashboard_comes_back_on_its_port_at_once(gym: Gym, run: Callable[..., Command]) -> None:
    gym.well()
    first = run("dashboard", "--port", "0")
    port = int(first.printed(r"Dashboard: http://127\.0\.0\.1:(\d+)$"))
    assert get(port, "/livez")[0] == 200
    busy = socket.create_connection(("127.0.0.1", port))  # a request that does not end
    busy.sendall(b"POST /login HTTP/1.1\r\nHost: gym\r\nContent-Length: 100\r\n\r\n")
    first.process.kill()

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        return False

    if sys.platform == "linux":  # elsewhere its worker notices by itself, a little later
        wait_for(refused, 0.5, "its worker goes on serving")
    busy.close()
    second = run("dashboard", "--port", str(port))
    second.printed("Dashboard: (.*)")
    assert get(port, "/livez")[0] == 200


def test_many_pages_stay_open_and_others_are_still_answered(gym: Gym, run: Callable[..., Command]) -> None:
    gym.well()
    gym.add()
    command = run("dashboard", "--port", str(free_port()))
    port = int(command.printed(r"Dashboard: http://127\.0\.0\.1:(\d+)$"))
    cookie = sign_in(port)
    streams = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(50)]
    answers = []
    for stream in streams:
        stream.request("GET", "/live/events", headers={"Cookie": cookie})
        answers.append(stream.getresponse())
    assert {answer.status for answer in answers} == {200}
    gym.scene("free-weights", "exercise_ball")
    before = time.monotonic()
    for answer in answers:
        while b"exercise_ball" not in answer.readline():
            pass
    assert time.monotonic() - before < 5
    assert get(port, "/livez")[0] == 200
    before = time.monotonic()
    command.process.send_signal(signal.SIGTERM)
    command.ended()
    assert time.monotonic() - before < 4


def sign_in(port: int) -> str:
    """The cookies of somebody who is signed in: of the sign-in, and of the device."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/login")
    answer = connection.getresponse()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.read().decode())
    assert token is not None
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    body = f"name=Olga&password={PASSWORD.replace(' ', '+')}&csrf_token={token[1]}"
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/login", body, headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 302
    return "; ".join(each.split(";")[0] for each in answer.headers.get_all("Set-Cookie", []))
