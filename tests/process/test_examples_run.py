"""Each example of docs/notify-your-app.md does what the page says, with the closer that it is written for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect

from drainer.attempt import Attempt, Verdict
from drainer.closers.notify import NotifyCloser
from drainer.phases import Close
from tests.process.apps import echoes
from tests.process.examples import NODE_FOLDER, Example, needs_node
from tests.process.harness import Child
from tests.process.waiting import PATIENCE, UNIT, until

pytestmark = pytest.mark.timeout(180)  # the first one of Node's may have to install packages
SENT = Attempt(Verdict.SENT)
IN_PYTHON = ["notify_websockets.py", "notify_aiohttp.py", "notify_fastapi.py"]
SOCKETIO = pytest.param("notify_socketio.mjs", marks=needs_node)
IN_NODE = [pytest.param("notify_ws.mjs", marks=needs_node)]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def started(name: str, folder: Path, stack: ExitStack) -> Example:
    app = Example(name, folder)
    stack.callback(app.close)
    return app


def told(app: Example, *numbers: int, mode: str = "batch", seconds_left: float = 10.0, rate: float = 10.0) -> None:
    """Tell the app to close so many connections, then so many."""

    async def tell() -> None:
        closer = NotifyCloser(app.notice_url, mode=mode, code=1012, reason="Grüße")
        for number in numbers:
            order = Close("notify", tuple(range(number)), 100, seconds_left, rate)
            assert set((await closer.close(order)).values()) == {SENT}
        closer.finish()
        await asyncio.wait(closer._farewells)

    asyncio.run(tell())


def connected(app: Example, number: int, stack: ExitStack) -> list[ClientConnection]:
    clients = [
        stack.enter_context(connect(f"ws://127.0.0.1:{app.port}", ping_interval=None, proxy=None))
        for _ in range(number)
    ]
    assert all(echoes(client) for client in clients)
    return clients


def gone(clients: Sequence[ClientConnection]) -> list[ClientConnection]:
    return [client for client in clients if client.state is State.CLOSED]


def end_of(client: ClientConnection) -> tuple[int, str, bool]:
    """(code, reason, whether both sides have said it) of a client that was closed."""
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(PATIENCE)
    close, answer = caught.value.rcvd, caught.value.sent
    assert close is not None
    return close.code, close.reason, answer is not None and answer.code == close.code


@pytest.mark.parametrize("name", [*IN_PYTHON, *IN_NODE])
def test_as_many_as_asked_are_closed_and_nobody_else(name: str, tmp_path: Path, stack: ExitStack) -> None:
    app = started(name, tmp_path, stack)
    clients = connected(app, 6, stack)

    told(app, 2)

    first = until(lambda: gone(clients), lambda closed: len(closed) >= 2)
    rest = [client for client in clients if client not in first]
    assert all(echoes(client) for client in rest)
    assert [end_of(client) for client in first] == [(1012, "Grüße", True)] * 2
    assert len(rest) == 4

    told(app, 1, 1)

    until(lambda: len(gone(rest)), (2).__eq__)
    assert all(echoes(client) for client in rest if client not in gone(rest))

    told(app, 100)

    until(lambda: len(gone(rest)), (4).__eq__)
    assert {end_of(client) for client in rest} == {(1012, "Grüße", True)}
    newcomers = connected(app, 1, stack)
    assert not gone(newcomers)
    assert "rror" not in app.stderr()


@pytest.mark.parametrize("name", [*IN_PYTHON, "notify_announce.py", *IN_NODE, SOCKETIO])
def test_nobody_outside_can_tell_it_and_sigterm_still_ends_it(name: str, tmp_path: Path, stack: ExitStack) -> None:
    app = started(name, tmp_path, stack)

    assert not app.is_told_from_outside()
    app.terminate()
    assert app.exit_code() in (0, -15)


@pytest.mark.parametrize("name", [*IN_PYTHON, "notify_announce.py", *IN_NODE, SOCKETIO])
def test_a_notice_that_cannot_be_read_does_no_harm(name: str, tmp_path: Path, stack: ExitStack) -> None:
    app = started(name, tmp_path, stack)
    clients = [] if name == "notify_socketio.mjs" else connected(app, 2, stack)

    for body in ("", "no JSON", "{}", '{"close": -1}'):
        connection = HTTPConnection("127.0.0.1", app.notice_port, timeout=PATIENCE)
        connection.request("POST", "/drain", body, {"Content-Type": "application/json"})
        assert connection.getresponse().status >= (200 if "-1" in body or "announce" in name else 400)
        connection.close()

    assert all(echoes(client) for client in clients)
    assert app.is_running()
    assert app.listens()


def test_announced_once_the_app_paces_by_itself(tmp_path: Path, stack: ExitStack) -> None:
    app = started("notify_announce.py", tmp_path, stack)
    clients = connected(app, 8, stack)
    began = time.monotonic()

    told(app, 1, 1, mode="announce", seconds_left=1.4 * UNIT, rate=5.0 / UNIT)

    left_at: dict[ClientConnection, float] = {}
    while len(left_at) < len(clients):
        until(lambda: len(gone(clients)), len(left_at).__lt__)
        left_at.update(dict.fromkeys(set(gone(clients)).difference(left_at), time.monotonic() - began))
    assert {end_of(client) for client in clients} == {(1012, "Grüße", True)}
    # 8 connections at 5 per second: the last one after 7/5 s.
    assert 1.39 * UNIT <= max(left_at.values()) < 3 * UNIT
    assert max(Counter(int(at / (0.7 * UNIT)) for at in left_at.values()).values()) <= 6, "not in one burst"


@needs_node
def test_clients_of_socketio_see_no_code_and_come_back_by_themselves(tmp_path: Path, stack: ExitStack) -> None:
    app = started("notify_socketio.mjs", tmp_path, stack)
    clients = Child(["node", str(NODE_FOLDER / "clients.mjs"), str(app.port), "6"])
    stack.callback(clients.close)

    def events() -> Counter[str]:
        return Counter(line.partition(" ")[0] for line in clients.stderr().splitlines())

    until(events, {"served": 6}.__eq__)

    told(app, 2)

    until(events, {"served": 8, "left": 2}.__eq__)
    left = [line.split(" ", 2) for line in clients.stderr().splitlines() if line.startswith("left")]
    assert {reason for _, _, reason in left} == {"transport close"}
    assert len({client for _, client, _ in left}) == 2
    assert app.stderr() == ""
