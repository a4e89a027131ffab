"""Close frames into the streams of real apps, each a process of its own: where they go, and where they must not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.process.apps import needs_ipv6
from tests.process.waiting import PATIENCE, until
from tests.sockets.app_child import BUSY, SENT, AppChild, Interrupted, descriptors, looped, running
from tests.sockets.closed import FRAME, close, closer_of, closes, declared, ending, received, sessions


@pytest.mark.parametrize("library", ["websockets", "aiohttp", "threads"])
def test_both_ends_of_an_unchanged_app_finish_with_the_code(library: str) -> None:
    with running("library_app.py", library) as app, sessions(app, 10) as clients:
        cookies = [row.cookie for row in app.accepted(10)]
        closer = closer_of(app, *cookies)
        assert closer.missing() is None
        assert {closes(closer, cookie) for cookie in cookies} == {SENT}
        assert {ending(client) for client in clients} == {(1012, "restart")}
        assert {app.line() for _ in cookies} == {"1012"}


def test_an_app_that_pushes_is_closed_between_two_messages() -> None:
    with running("library_app.py", "websockets") as app, sessions(app, 5) as clients:
        cookies = [row.cookie for row in app.accepted(5)]
        with ThreadPoolExecutor(5) as readers:
            for client in clients:
                client.send("push")
            reading = [readers.submit(all_of, client) for client in clients]
            until(lambda: min(row.bytes_sent for row in app.accepted(5)), lambda sent: sent > 10_000)
            closer = closer_of(app, *cookies)
            assert {closes(closer, cookie) for cookie in cookies} == {SENT}
            for messages in (each.result(PATIENCE) for each in reading):
                assert messages == [f"{number:08}" + 192 * "x" for number in range(1, len(messages) + 1)]
        assert {client.close_code for client in clients} == {1012}


def all_of(client: ClientConnection) -> list[str]:
    messages: list[str] = []
    with suppress(ConnectionClosed):
        while True:
            messages.append(str(client.recv(PATIENCE)))
    return messages


@pytest.mark.parametrize("stage", ["idle", "full"])
def test_no_duplicate_is_kept(app: AppChild, stage: str) -> None:
    app.connect()
    cookie = app.only().cookie
    closer = closer_of(app, cookie)
    if stage == "full":
        app.obey("write", 8_000_000)
    before = descriptors()
    close(closer, cookie)
    assert descriptors() == before


def test_on_a_declared_port_no_tap_is_needed() -> None:
    with running("library_app.py", "websockets") as app, sessions(app, 1) as [client]:
        closer = declared(app)
        assert closer.missing() is None
        assert closes(closer, app.only().cookie) == SENT
        assert ending(client) == (1012, "restart")


@needs_ipv6
def test_ipv6() -> None:
    app = looped(host="::1")
    try:
        client = app.connect("::1")
        cookie = app.only().cookie
        closer = closer_of(app, cookie)
        assert closer.missing() is None
        assert closes(closer, cookie) == SENT
        assert received(client) == FRAME
    finally:
        app.close()


def test_a_socket_full_of_queued_bytes_is_busy_and_not_written_to(app: AppChild) -> None:
    client = app.connect()
    cookie = app.only().cookie
    closer = closer_of(app, cookie)
    app.obey("write", 8_000_000)
    for _ in range(5):
        assert close(closer, cookie) == [BUSY]
    assert received(client) == 8_000_000 * b"x"
    assert closes(closer, cookie) == SENT
    assert received(client) == FRAME


def test_half_a_message_whose_rest_the_app_has_not_come_to_write_is_busy(app: AppChild) -> None:
    """The queue is empty and the epoll not told: only that the loop is awake shows that there is a rest."""
    client = app.connect()
    cookie = app.only().cookie
    closer = closer_of(app, cookie)
    app.order("dally", 8_000_000, 1.0)
    assert app.line() == "sent"
    client.settimeout(0.2)
    part = received(client)
    assert 0 < len(part) < 8_000_000
    assert app.rows.look_up([cookie])[cookie].unsent == 0
    while_awake = [close(closer, cookie)[0] for _ in range(5)]
    assert app.line() == "done"
    assert while_awake == [BUSY] * 5
    assert part + received(client) == 8_000_000 * b"x"
    assert closes(closer, cookie) == SENT
    assert received(client) == FRAME


def test_what_was_sent_since_the_reading_makes_it_busy(app: AppChild) -> None:
    client = app.connect()
    row = app.only()
    rows = Interrupted(app)
    closer = closer_of(app, row.cookie, rows=rows)
    rows.then = lambda: app.obey("write", 10)
    assert close(closer, row.cookie) == [BUSY]
    assert set(received(client)) == set(b"x")
    rows.then = int
    assert closes(closer, row.cookie) == SENT
