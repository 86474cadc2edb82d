from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.delivery import AGAIN_SECONDS, IN_FLIGHT, Delivery
from pipeline.outbox import Outbox
from pipeline.scene import Draft
from spotter.events import Committed

from .staging import START


class Line:
    """A delivery with a broker that takes what it is given, in a time of its own."""

    def __init__(self, path: Path) -> None:
        self.outbox = Outbox(path, hours=24, mebibytes=64)
        self.delivery = Delivery(self.outbox, "downtown", "rack")
        self.now = 100.0

    def append(self, count: int) -> None:
        self.outbox.append([Draft("downtown", "rack", START, (320, 180), True, ())] * count)

    def send(self, *, acknowledge: bool = True, most: int = 10**6) -> list[int]:
        """Send until nothing is due; the seqs in the order of sending."""
        seqs: list[int] = []
        while len(seqs) < most and (due := self.delivery.due(self.now)):
            for seq, _ in due[: most - len(seqs)]:
                self.delivery.sent(seq, self.now, START)
                seqs.append(seq)
                if acknowledge:
                    self.delivery.acknowledged(seq)
        return seqs

    def commit(self, seq: int) -> None:
        stream = self.outbox.stream("downtown", "rack").stream
        self.delivery.committed(Committed(stream=stream, seq=seq), self.now)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "outbox.db")
    yield made
    made.outbox.close()


def test_scenes_go_out_once_and_in_order(line: Line) -> None:
    line.append(5)
    assert line.send() == [0, 1, 2, 3, 4]
    line.append(2)
    assert line.send() == [5, 6]
    line.now += AGAIN_SECONDS - 1
    assert line.send() == []


def test_what_is_not_committed_is_sent_again_after_ten_seconds(line: Line) -> None:
    line.append(4)
    line.send()
    line.commit(1)
    line.now += AGAIN_SECONDS
    assert line.send() == [2, 3]
    line.now += 1
    assert line.send() == []


def test_what_the_broker_has_not_taken_is_left_to_the_connection(line: Line) -> None:
    line.append(3)
    line.send(acknowledge=False)
    line.now += 60
    assert line.send() == []


def test_the_connection_is_never_given_more_than_it_can_hold(line: Line) -> None:
    line.append(1000)
    assert len(line.send(acknowledge=False)) == IN_FLIGHT


def test_after_an_hour_without_a_broker_the_newest_goes_first_and_all_follow_in_order(line: Line) -> None:
    line.append(7200)
    sent = line.send()
    assert sent == [7199, *range(7199)]


def test_nobody_confirming_makes_no_storm(line: Line) -> None:
    line.append(5000)
    line.send()
    sent = 0
    for _ in range(60):
        line.now += 1
        sent += len(line.send())
    assert sent <= 6 * 64 + 64


def test_once_the_database_confirms_the_rest_is_sent_again_quickly(line: Line) -> None:
    line.append(5000)
    line.send()
    line.now += 3600
    rounds = 0
    done = 0
    while done < 5000:
        for seq in line.send():
            done = max(done, seq + 1) if seq == done else done
        line.commit(done - 1)
        line.now += 0.2
        rounds += 1
        assert rounds < 60
    assert line.outbox.stream("downtown", "rack").pending == 0


def test_a_new_database_gets_everything_from_the_floor(line: Line) -> None:
    line.append(10)
    line.send()
    line.commit(4)
    line.commit(1)  # it was restored from a backup
    assert line.send() == [5, 6, 7, 8, 9]


def test_a_connection_lost_in_the_middle_leaves_no_hole(line: Line) -> None:
    line.append(20)
    assert line.send(most=7) == list(range(7))
    assert line.send() == list(range(7, 20))


def test_a_restart_sends_all_that_is_kept(line: Line) -> None:
    line.append(5)
    line.send()
    line.commit(1)
    line.delivery = Delivery(line.outbox, "downtown", "rack")
    assert line.send() == [2, 3, 4]


def test_a_renewed_stream_is_sent_from_its_beginning(line: Line) -> None:
    line.append(3)
    line.send()
    line.commit(50)  # the database knows more than this outbox ever wrote
    assert line.send() == [0, 1, 2]
