"""The end of the stream, for apps of any protocol."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from drainer.attempt import Attempt, Verdict
from drainer.closers.shutdown import ShutdownCloser
from drainer.model import TcpState
from tests.process.waiting import PATIENCE, until
from tests.sockets.app_child import (
    BUSY,
    GONE,
    SENT,
    AppChild,
    Interrupted,
    descriptors,
    looped,
    once,
    running,
    state_of,
)


def close(closer: ShutdownCloser, *cookies: int) -> list[Attempt]:
    answers = closer.close(cookies, lambda: True)
    return [answers[cookie] for cookie in cookies]


def test_the_app_reads_the_end_and_closes(app: AppChild) -> None:
    client = app.connect()
    cookie = app.only().cookie
    closer = ShutdownCloser(app.rows)
    assert closer.missing() is None
    before = descriptors()
    assert close(closer, cookie) == [SENT]
    assert descriptors() == before
    client.settimeout(PATIENCE)
    assert client.recv(1) == b""


def test_a_websocket_client_sees_1006() -> None:
    with running("library_app.py", "websockets") as app, connect(f"ws://127.0.0.1:{app.port}") as client:
        assert close(ShutdownCloser(app.rows), app.only().cookie) == [SENT]
        with pytest.raises(ConnectionClosed):
            client.recv(PATIENCE)
        assert client.close_code == 1006


def test_what_is_not_accepted_waits() -> None:
    app = looped("deaf")
    try:
        app.connect()
        [cookie] = until(app.rows.cookies, lambda cookies: len(cookies) == 1)
        assert close(ShutdownCloser(app.rows), cookie) == [Attempt(Verdict.UNACCEPTED)]
    finally:
        app.close()


def test_who_has_left_is_gone(app: AppChild) -> None:
    client = app.connect()
    cookie = app.only().cookie
    app.process.send_signal(19)  # SIGSTOP: it does not see the end of its client
    client.close()
    until(lambda: state_of(app, cookie), lambda state: state is TcpState.CLOSE_WAIT)
    assert close(ShutdownCloser(app.rows), cookie, 1) == [GONE, GONE]


def test_a_process_that_dies_in_between_is_gone(app: AppChild) -> None:
    app.connect()
    cookie = app.only().cookie
    rows = Interrupted(app)
    closer = ShutdownCloser(rows)
    assert closer.missing() is None
    rows.then = once(app.kill)
    # Busy while no second look is affordable: the machine may have many processes.
    assert until(lambda: close(closer, cookie), lambda attempts: attempts != [BUSY]) == [GONE]


def test_nobody_is_closed_once_it_is_not_wanted(app: AppChild) -> None:
    app.connect()
    assert ShutdownCloser(app.rows).close([app.only().cookie], lambda: False) == {}
