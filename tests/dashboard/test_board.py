"""The board that open pages and the stream of the API are told from."""

from __future__ import annotations

import threading
import time

from dashboard.live.board import Board


def test_a_page_gets_each_document_once_and_the_newest() -> None:
    board = Board()
    board.put("a", "1")
    board.put("b", "1")
    board.put("a", "2")
    first = board.since(0, timeout=0)
    assert first.documents == (("b", "1"), ("a", "2"))
    assert board.since(first.version, timeout=0).documents == ()
    board.put("a", "2")
    assert board.since(first.version, timeout=0).documents == ()


def test_many_pages_wake_at_once() -> None:
    board = Board()
    woken: list[float] = []
    pages = [threading.Thread(target=lambda: (board.since(0, 10), woken.append(time.monotonic()))) for _ in range(50)]
    for page in pages:
        page.start()
    before = time.monotonic()
    board.put("a", "1")
    for page in pages:
        page.join()
    assert max(woken) - before < 2
    board.close()
    assert board.since(99, timeout=60).documents == ()


def test_a_replay_tells_every_change_as_long_as_all_are_kept() -> None:
    board = Board(past=11)
    for document in ("one", "two", "three"):
        board.put("a", document)
    assert board.replay(1) == (3, (("a", "two"), ("a", "three")))
    assert board.replay(3) == (3, ())
    board.put("b", "four")
    assert board.replay(1).documents == (("a", "three"), ("b", "four")), "the second is gone: the newest of each"
    assert board.replay(0).documents == (("a", "three"), ("b", "four"))
    assert board.replay(2).documents == (("a", "three"), ("b", "four"))
