"""What the closer that writes Close frames leaves alone, and why."""

from __future__ import annotations

import itertools
import socket
import threading
import time
import urllib.request

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.closers.websocket import WebSocketCloser, write_between
from drainer.errors import SocketTableError
from drainer.model import TcpState
from tests.process.waiting import PATIENCE, until
from tests.sockets.app_child import BUSY, GONE, SENT, AppChild, Interrupted, looped, once, running, state_of
from tests.sockets.closed import FRAME, Seen, close, closer_of, closes, declared, received
from tests.sockets.loopback import Loopback, deafen


def test_a_descriptor_that_is_another_socket_now_is_left_alone(app: AppChild) -> None:
    client = app.connect()
    row = app.only()
    rows = Interrupted(app)
    closer = closer_of(app, row.cookie, rows=rows)
    assert closer.missing() is None
    rows.then = once(lambda: app.obey("replace"))
    assert closes(closer, row.cookie) == GONE
    assert received(client) == b""
    app.obey("tell")  # one number for each that got something


def test_a_process_that_dies_in_between_is_gone(app: AppChild) -> None:
    app.connect()
    row = app.only()
    rows = Interrupted(app)
    closer = closer_of(app, row.cookie, rows=rows)
    assert closer.missing() is None
    rows.then = once(app.kill)
    assert closes(closer, row.cookie) == GONE


def test_connections_that_have_ended_are_gone(app: AppChild) -> None:
    client = app.connect()
    cookie = app.only().cookie
    closer = closer_of(app, cookie, 1)
    app.process.send_signal(19)  # SIGSTOP: it does not see the end of its client
    client.close()
    until(lambda: state_of(app, cookie), lambda state: state is TcpState.CLOSE_WAIT)
    assert close(closer, cookie, 1) == [GONE, GONE]


def test_what_is_not_accepted_waits() -> None:
    app = looped("deaf")
    try:
        app.connect()
        [cookie] = until(app.rows.cookies, lambda cookies: len(cookies) == 1)
        assert close(closer_of(app, cookie), cookie) == [Attempt(Verdict.UNACCEPTED)]
    finally:
        app.close()


def test_plain_http_on_the_same_port_is_not_touched() -> None:
    with running("library_app.py", "aiohttp") as app:
        kept = app.connect()
        kept.sendall(b"GET /page HTTP/1.1\r\nHost: app\r\n\r\n")
        bodies: list[bytes] = []

        def load() -> None:
            with urllib.request.urlopen(f"http://127.0.0.1:{app.port}/slow", timeout=PATIENCE) as answer:
                bodies.append(answer.read())

        loading = threading.Thread(target=load)
        loading.start()
        cookies = [row.cookie for row in app.accepted(2)]
        closer = closer_of(app)
        for _ in range(5):
            assert close(closer, *cookies) == [Attempt(Verdict.NOT_WEBSOCKET)] * 2
            time.sleep(0.1)
        loading.join(PATIENCE)
        assert bodies == [20_000 * b"x"]
        assert received(kept).endswith(b"page")
        kept.sendall(b"GET /page HTTP/1.1\r\nHost: app\r\n\r\n")
        assert received(kept).endswith(b"page")


def test_a_handshake_on_a_declared_port_that_is_not_answered_yet_is_busy(app: AppChild) -> None:
    client = app.connect()
    cookie = app.only().cookie
    closer = declared(app)
    # This one says nothing to anybody: nothing was found out, and the rest is tried as if something had been.
    assert closer.missing() is None
    assert close(closer, cookie) == [Attempt(Verdict.FAILED, "unprobed")]
    closer._encrypted[app.port] = False
    assert close(closer, cookie) == [BUSY]
    app.obey("write", 10)
    assert closes(closer, cookie) == SENT
    assert received(client) == 10 * b"x" + FRAME


def test_a_declared_port_that_was_not_asked_for_tls_is_left_alone(app: AppChild) -> None:
    app.connect()
    assert close(declared(app), app.only().cookie) == [Attempt(Verdict.FAILED, "unprobed")]


@pytest.mark.parametrize("mode", ["edge", "oneshot", "none"])
def test_a_runtime_that_tells_nothing_is_unproven(mode: str) -> None:
    app = looped(mode)
    try:
        client = app.connect()
        cookie = app.only().cookie
        assert close(closer_of(app, cookie), cookie) == [Attempt(Verdict.UNPROVEN)]
        closer = closer_of(app, cookie, unproven=True)
        if mode == "edge":
            app.obey("write", 10)
            assert close(closer, cookie) == [BUSY]
            assert received(client) == 10 * b"x"
        began = time.monotonic()
        assert closes(closer, cookie) == SENT
        assert received(client) == FRAME
        assert time.monotonic() - began < PATIENCE
    finally:
        app.close()


def test_nobody_is_closed_once_it_is_not_wanted(app: AppChild) -> None:
    client = app.connect()
    app.connect()
    one, other = (row.cookie for row in app.accepted(2))
    closer = closer_of(app, one, other)
    answers = iter([True, False])
    assert closer.close([one, other], lambda: next(answers)) == {one: SENT}
    assert closer.close([other], lambda: False) == {}
    assert len(received(client)) in (0, len(FRAME))


def test_what_the_tap_lacks_is_said_and_what_the_descriptors_lack_comes_first(app: AppChild) -> None:
    tap = Seen()
    tap.lacks = "CAP_NET_RAW"
    closer = WebSocketCloser(app.rows, tap, declared_ports=(), code=1001, reason="", unproven=False)
    assert closer.missing() == "CAP_NET_RAW"
    app.kill()
    until(app.rows.listeners, lambda listeners: not listeners)
    # An app that stops listening may still have its connections: what was found out holds.
    assert closer.missing() == "CAP_NET_RAW"
    unasked = WebSocketCloser(app.rows, tap, declared_ports=(), code=1001, reason="", unproven=False)
    assert unasked.missing() == "nobody listens on the app's ports yet"


def test_a_connection_that_the_app_closes_in_between_is_gone(app: AppChild) -> None:
    client = app.connect()
    row = app.only()
    rows = Interrupted(app)
    closer = closer_of(app, row.cookie, rows=rows)
    assert closer.missing() is None
    rows.then = once(lambda: app.obey("close"))
    assert closes(closer, row.cookie) == GONE
    assert received(client) == b""


class Full(socket.socket):
    """It takes a part, or nothing."""

    takes = 0

    def __init__(self, like: socket.socket) -> None:
        super().__init__(fileno=like.detach())

    def send(self, *_: object) -> int:
        if not self.takes:
            raise BlockingIOError
        return self.takes


def test_a_queue_that_fills_up_at_the_last_moment_is_busy_and_a_part_of_a_frame_is_a_failure(net: Loopback) -> None:
    _, app = net.pair(net.listen())
    with Full(app) as full:
        assert write_between(full, FRAME, lambda *_: True) == BUSY
        full.takes = 3
        assert write_between(full, FRAME, lambda *_: True) == Attempt(Verdict.FAILED, "short")
        assert write_between(full, FRAME, lambda *_: False) == BUSY


def test_a_client_that_leaves_at_the_last_moment_is_gone(net: Loopback) -> None:
    client, app = net.pair(net.listen())
    client.close()
    until(lambda: app.recv(1), lambda read: read == b"")
    assert write_between(app, FRAME, lambda *_: True) == GONE


def test_what_is_not_acknowledged_is_busy(net: Loopback) -> None:
    client, app = net.pair(net.listen())
    deafen(client)
    app.send(b"x")
    assert write_between(app, FRAME, lambda *_: True) == BUSY


def test_what_was_done_is_told_although_the_table_fails_in_the_middle(app: AppChild) -> None:
    client, row = app.connect(), app.only()
    rows, tap, moments = Interrupted(app), Seen(), itertools.count(time.monotonic(), 10.0)
    tap.cookies = {row.cookie}
    # Ten seconds pass between any two looks at the clock: a reading is allowed at any time.
    closer = WebSocketCloser(
        rows, tap, declared_ports=(), code=1012, reason="", unproven=False, clock=lambda: next(moments)
    )

    def fail() -> None:
        raise SocketTableError("sock_diag")

    def write_and_fail_next() -> None:
        app.obey("write", 10)
        rows.then = fail

    rows.then = write_and_fail_next
    assert close(closer, row.cookie) == [BUSY]
    assert received(client) == 10 * b"x"
