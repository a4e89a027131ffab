"""Nothing beside the drain can end or delay it: strangers on the port, a stuck reader of the log, few descriptors."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.process.apps import reset
from tests.process.conftest import Pod
from tests.process.kubelet import get
from tests.process.waiting import PATIENCE, UNIT, setting, until

HALF_A_REQUEST = b"GET /drain HTTP/1.1\r\nHost: a\r\nX-Slow: "


@pytest.fixture(autouse=True)
def _many_descriptors() -> Iterator[None]:
    """2,048 sockets and more need a soft limit above the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"needs a hard limit of 4,096 open files; here it is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def silent(port: int, number: int, first_words: bytes = b"", receive_buffer: int = 0) -> Iterator[list[socket.socket]]:
    """So many connections that say these words and then neither speak nor read."""
    ends: list[socket.socket] = []
    try:
        for _ in range(number):
            ends.append(socket.socket())
            if receive_buffer:
                ends[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            ends[-1].settimeout(PATIENCE)
            ends[-1].connect(("127.0.0.1", port))
            # The agent may have turned it away already.
            with contextlib.suppress(ConnectionError):
                ends[-1].sendall(first_words)
        yield ends
    finally:
        for end in ends:
            reset(end)


@contextlib.contextmanager
def flood_of_garbage(port: int) -> Iterator[None]:
    """One connection after the other with what no HTTP server understands, each until the agent ends it."""
    enough = threading.Event()
    garbage = [b"\0" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0", b"G" * 100_000, os.urandom(5000)]
    garbage.append(b"GET /status HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n")
    garbage.append(b"POST /drain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")
    sent = 0

    def flood() -> None:
        nonlocal sent
        while not enough.is_set():
            with silent(port, 1, garbage[sent % len(garbage)]) as ends, contextlib.suppress(ConnectionError):
                while ends[0].recv(65536):
                    pass
            sent += 1

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        until(lambda: sent, lambda number: number > 50)
        yield
    finally:
        enough.set()
        thread.join()


def stuck_scrapers(port: int) -> AbstractContextManager[object]:
    return silent(port, 100, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 5, receive_buffer=1)


def half_sent_headers(port: int) -> AbstractContextManager[object]:
    return silent(port, 500, HALF_A_REQUEST)


def idle_sockets(port: int) -> AbstractContextManager[object]:
    return silent(port, 2048)


@pytest.mark.parametrize("nuisance", [flood_of_garbage, stuck_scrapers, half_sent_headers, idle_sockets])
def test_a_running_drain_is_not_hurt_by(pod: Pod, nuisance: Callable[[int], AbstractContextManager[object]]) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    clients = app.clients(2)
    agent.counts(2)
    hook = agent.hook()
    agent.drains()
    with nuisance(agent.port):
        for path, status in {"/readyz": 503, "/livez": 200, "/metrics": 200, "/status": 200}.items():
            answer = agent.get(path)
            assert answer.status == status
            assert answer.seconds < UNIT
        app.leaves(clients[0])
        agent.counts(1)
        assert hook.is_held()
        app.leaves(clients[1])
        closed_at = time.monotonic()
        told = hook.answer().json()
        assert time.monotonic() - closed_at < UNIT
    assert (told["outcome"], told["left"]) == ("drained", 2)
    agent.terminate()
    agent.ended_well()


def test_a_flood_of_connections_does_not_use_up_the_descriptors_that_counting_needs(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, prefix=("sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"))
    clients = app.clients(2)
    agent.counts(2)
    hook = agent.hook()
    agent.drains()
    with silent(agent.port, 600), silent(agent.port, 600, HALF_A_REQUEST):
        agent.looks_again()
        app.leaves(clients[0])
        agent.counts(1)
        assert hook.is_held()
        app.leaves(clients[1])
        closed_at = time.monotonic()
        told = hook.answer().json()
        assert time.monotonic() - closed_at < UNIT
    assert (told["outcome"], told["left"]) == ("drained", 2)
    errors = agent.status()["source"]["census_errors"]
    assert errors == dict.fromkeys(errors, 0)
    agent.terminate()
    agent.ended_well()


def test_held_callers_that_use_up_the_descriptors_are_answered_and_counting_goes_on(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, prefix=("sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"))
    app.clients(2)
    agent.counts(2)
    hooks = [agent.hook() for _ in range(150)]
    until(agent.status, lambda status: status["callers"]["held"] == 150)
    agent.drains()
    with silent(agent.port, 600):
        app.all_leave()
        assert {hook.answer().json()["outcome"] for hook in hooks} == {"drained"}
    errors = agent.status()["source"]["census_errors"]
    assert errors == dict.fromkeys(errors, 0)


def test_a_log_that_nobody_reads_does_not_hold_the_drain(pod: Pod) -> None:
    app = pod.bare_app()
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"\n" * 4096)
        os.set_blocking(writer, True)
        agent = pod.starting_agent(app.port, stderr=writer)
        until(lambda: listens(agent.port), bool)
        app.clients(2)
        agent.counts(2)
        hook = agent.hook()
        agent.drains()
        app.all_leave()
        closed_at = time.monotonic()
        assert hook.answer().json()["outcome"] == "drained"
        assert time.monotonic() - closed_at < UNIT
        asked_at = agent.terminate()
        assert agent.exit_code() == 0
        assert time.monotonic() - asked_at < UNIT
    finally:
        os.close(reader)
        os.close(writer)


def listens(port: int) -> bool:
    try:
        return get(port, "/livez").status == 200
    except ConnectionRefusedError:
        return False


def test_a_slow_reader_of_the_log_gets_every_line(pod: Pod) -> None:
    app = pod.bare_app()
    reader, writer = os.pipe()
    try:
        agent = pod.starting_agent(app.port, stderr=writer, settle=setting(0.1))
        until(lambda: listens(agent.port), bool)
        assert agent.hook().answer().json()["outcome"] == "drained"
        agent.terminate()
        assert agent.exit_code() == 0
    finally:
        os.close(writer)
    with os.fdopen(reader) as log:
        said = log.read()
    assert [word for word in ("watching", "begins", "drained", "asked to go", "gone") if word not in said] == []
