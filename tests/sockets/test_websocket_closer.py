"""Close frames into the streams of real apps, each a process of its own: where they go, and where they must not."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from drainer.attempt import Attempt, Verdict
from drainer.closers.descriptors import Rows
from drainer.closers.websocket import WebSocketCloser, close_frame, write_between
from drainer.model import TcpState
from tests.process.apps import needs_ipv6
from tests.process.waiting import PATIENCE, until
from tests.sockets.app_child import BUSY, GONE, SENT, AppChild, Interrupted, descriptors, looped, running, state_of
from tests.sockets.loopback import Loopback, deafen

FRAME = close_frame(1012, "restart")


class Seen:
    """A tap that has seen the upgrades of these."""

    def __init__(self, *cookies: int) -> None:
        self.cookies = set(cookies)
        self.lacks: str | None = None

    def knows(self, cookie: int) -> bool:
        return cookie in self.cookies

    def missing(self) -> str | None:
        return self.lacks


def closer_of(app: AppChild, *cookies: int, rows: Rows | None = None, unproven: bool = False) -> WebSocketCloser:
    """With a tap that knows these."""
    tap = Seen(*cookies)
    return WebSocketCloser(rows or app.rows, tap, declared_ports=(), code=1012, reason="restart", unproven=unproven)


def declared(app: AppChild) -> WebSocketCloser:
    return WebSocketCloser(app.rows, None, declared_ports=[app.port], code=1012, reason="restart", unproven=False)


def close(closer: WebSocketCloser, *cookies: int) -> list[Attempt]:
    answers = closer.close(cookies, lambda: True)
    return [answers[cookie] for cookie in cookies]


def closes(closer: WebSocketCloser, cookie: int) -> Attempt:
    """As the ladder does: again while it is busy."""
    return until(lambda: close(closer, cookie)[0], lambda attempt: attempt != BUSY)


def received(client: socket.socket) -> bytes:
    """Until the app closes or is silent for a while."""
    client.settimeout(0.3)
    read = b""
    try:
        while more := client.recv(1 << 20):
            read += more
    except TimeoutError:
        pass
    return read


@contextmanager
def sessions(app: AppChild, number: int) -> Iterator[list[ClientConnection]]:
    with ExitStack() as stack:
        url = f"ws://127.0.0.1:{app.port}"
        yield [stack.enter_context(connect(url, ping_interval=None, compression=None)) for _ in range(number)]


def ending(client: ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(ConnectionClosed):
        client.recv(PATIENCE)
    return client.close_code, client.close_reason


@pytest.fixture
def app() -> Iterator[AppChild]:
    child = looped()
    try:
        yield child
    finally:
        child.close()


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
        assert close(closer, app.only().cookie) == [SENT]
        assert ending(client) == (1012, "restart")


@needs_ipv6
def test_ipv6() -> None:
    app = looped(host="::1")
    try:
        client = app.connect("::1")
        cookie = app.only().cookie
        closer = closer_of(app, cookie)
        assert closer.missing() is None
        assert close(closer, cookie) == [SENT]
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


def test_a_descriptor_that_is_another_socket_now_is_left_alone(app: AppChild) -> None:
    client = app.connect()
    row = app.only()
    rows = Interrupted(app)
    closer = closer_of(app, row.cookie, rows=rows)
    assert closer.missing() is None
    rows.then = lambda: app.obey("replace")
    assert close(closer, row.cookie) == [GONE]
    assert received(client) == b""
    app.obey("tell")  # one number for each that got something


def test_a_process_that_dies_in_between_is_gone(app: AppChild) -> None:
    app.connect()
    row = app.only()
    rows = Interrupted(app)
    closer = closer_of(app, row.cookie, rows=rows)
    assert closer.missing() is None
    rows.then = app.kill
    assert close(closer, row.cookie) == [GONE]


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
    assert closer.missing() is None
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
    assert closer.missing() == "nobody listens on the app's ports yet"


def closing_soon(app: AppChild) -> Callable[[], None]:
    return lambda: app.obey("close")


def test_a_connection_that_the_app_closes_in_between_is_gone(app: AppChild) -> None:
    client = app.connect()
    row = app.only()
    rows = Interrupted(app)
    closer = closer_of(app, row.cookie, rows=rows)
    assert closer.missing() is None
    rows.then = closing_soon(app)
    assert close(closer, row.cookie) == [GONE]
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
