"""The chooser between sock_diag and psutil, and the thread that both run in."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading

import pytest

from drainer.counter import Counter, live_count
from drainer.errors import RefusedError, SocketTableError
from drainer.model import BLIND_TO, Dump, Source, TcpState
from drainer.sockets.netlink import NetlinkTable
from drainer.sockets.psutil_table import PsutilTable, _Rows
from drainer.sockets.table import CensusThread, SocketTable
from tests.sockets.loopback import (
    Loopback,
    cookie_of,
    deafen,
    dump_until,
    ids,
    in_a_child,
    no_descriptors_left,
    port_of,
    states,
)

ESTABLISHED, CLOSE_WAIT = TcpState.ESTABLISHED, TcpState.CLOSE_WAIT


@pytest.fixture
def busy(net: Loopback) -> list[socket.socket]:
    """Listeners of all families, with connections in all the states that last."""
    listeners = [net.listen("127.0.0.1"), net.listen("::1"), net.listen("::")]
    for listener in listeners:
        clients, _ = net.pairs(listener, 4)
        clients[0].close()
        client, app = net.pair(listener)
        deafen(client)
        app.close()
    net.pair(listeners[0], source="127.0.0.9")
    net.pair(listeners[2], "127.0.0.1")
    for listener in listeners:
        net.connect(listener)
    ports = [port_of(listener) for listener in listeners]
    settled = {(port, state) for port in ports for state in (CLOSE_WAIT, TcpState.FIN_WAIT1)}
    dump_until(NetlinkTable(ports).dump, lambda dump: settled <= set(dump.groups))
    return listeners


@pytest.mark.parametrize(
    "ignored", [(), ("127.0.0.9/32",), ("127.0.0.0/8",), ("::ffff:127.0.0.0/104", "::1/128"), ("[127.0.0.9]:1",)]
)
def test_sock_diag_and_psutil_agree_on_the_same_sockets(busy: list[socket.socket], ignored: tuple[str, ...]) -> None:
    ports = [port_of(listener) for listener in busy]
    kernel = NetlinkTable(ports, ignored).dump(tally_ignored=True)
    psutil = PsutilTable(ports, ignored).dump(tally_ignored=True)
    assert states(psutil) == states(kernel)
    assert {port: number for port, number in (psutil.ignored or {}).items() if number} == kernel.ignored
    assert (psutil.source, kernel.source) == (Source.PSUTIL, Source.SOCK_DIAG)


def test_psutil_names_a_connection_by_its_addresses_and_sees_other_ports_and_states_not(net: Loopback) -> None:
    listener = net.listen()
    _, app = net.pair(listener)
    other = net.listen()
    net.pair(other)
    gone, left = net.pair(listener)
    left.close()
    gone.close()
    dump = PsutilTable([port_of(listener)], clock=lambda: 4.5).dump()
    assert ids(dump, listener, ESTABLISHED) == {(app.getsockname(), app.getpeername())}
    assert {port for port, _ in dump.groups} == {port_of(listener)}
    assert dump.taken_at == 4.5
    assert dump.flushing == set()


def test_rows_of_psutil_are_never_idle() -> None:
    counter = Counter(idle_after=0.01)
    counter.add(_Rows([ESTABLISHED, CLOSE_WAIT], [8080, 8080], ["one", "another"]))
    assert counter.dump.idle == set()
    assert live_count(counter.dump) == 2


def test_psutil_that_cannot_read_is_an_error_with_its_errno(net: Loopback) -> None:
    table = PsutilTable([port_of(net.listen())])
    with no_descriptors_left(), pytest.raises(SocketTableError) as raised:
        table.dump()
    assert raised.value.errno == errno.EMFILE
    assert not isinstance(raised.value, RefusedError)


# ----------------------------------------------------------------------------------------------- chooser


def test_a_dump_is_confirmed_by_a_second_one_only_when_it_could_end_a_drain(net: Loopback) -> None:
    listener = net.listen()
    net.pairs(listener, 2)
    table = SocketTable([port_of(listener)])
    assert [table.dump(confirm_at).confirmed for confirm_at in (None, 0, 1, 2, 3)] == [False, False, False, True, True]


def test_a_confirmed_dump_is_as_old_as_its_first_walk_and_keeps_the_tally(net: Loopback) -> None:
    listener = net.listen()
    net.pair(listener)
    moments = iter([3.0, 4.0])
    table = SocketTable([port_of(listener)], ["127.0.0.0/8"], clock=lambda: next(moments))
    dump = table.dump(0, tally_ignored=True)
    assert dump.confirmed
    assert dump.taken_at == 3.0
    assert dump.ignored == {port_of(listener): 1}


def test_an_error_that_may_pass_does_not_change_the_source(net: Loopback) -> None:
    table = SocketTable([port_of(net.listen())])
    with no_descriptors_left(), pytest.raises(SocketTableError):
        table.dump()
    assert table.dump().source is Source.SOCK_DIAG
    table.watch().close()


REFUSED = """
import json, sys
from tests.seccomp import deny_netlink
deny_netlink()
from drainer.counter import Counter, live_count
from drainer.errors import RefusedError
from drainer.sockets.table import SocketTable
table = SocketTable([int(sys.argv[1])], ["127.0.0.9/32"], idle_after=0.001)
said = []
try:
    table.watch()
except RefusedError as error:
    said.append([error.errno, str(error)])
dump = table.dump(9, tally_ignored=True)
try:
    table.watch()
except RefusedError as error:
    said.append([error.errno, str(error)])
groups = {int(state): len(ids) for (_, state), ids in dump.groups.items()}
print(json.dumps([dump.source, dump.confirmed, groups, dump.ignored, len(dump.idle), said]))
"""


def test_where_sock_diag_is_refused_psutil_takes_over(net: Loopback) -> None:
    listener = net.listen()
    net.pairs(listener, 3)
    net.pair(listener, source="127.0.0.9")
    source, confirmed, groups, ignored, idle, said = json.loads(in_a_child(REFUSED, str(port_of(listener))))
    assert source == Source.PSUTIL
    assert confirmed
    assert groups == {str(int(ESTABLISHED)): 3, str(int(TcpState.LISTEN)): 1}
    assert ignored == {str(port_of(listener)): 1}
    assert idle == 0
    assert said == [
        [errno.EPERM, "sock_diag socket: EPERM (Operation not permitted)"],
        [None, "sock_diag notifications: the rows come from psutil"],
    ]


def test_census_says_what_psutil_cannot_see(net: Loopback) -> None:
    listener = net.listen()
    net.pair(listener)
    script = "from tests.seccomp import deny_netlink; deny_netlink(); import sys; from drainer.cli import main; "
    script += "sys.exit(main(['census', '--app-ports', sys.argv[1]], []))"
    text = in_a_child(script, str(port_of(listener)))
    assert "1 live client connections, read by psutil\n" in text
    assert [line.removeprefix("not visible here: ") for line in text.splitlines() if "not visible" in line] == list(
        BLIND_TO[Source.PSUTIL]
    )


# ------------------------------------------------------------------------------------------------ thread


class Gated(SocketTable):
    """A table whose dumps wait for the test."""

    def __init__(self, failure: BaseException | None = None) -> None:
        super().__init__([1])
        self.may_go = threading.Event()
        self.began = threading.Event()
        self.threads: list[str] = []
        self._failure = failure

    def dump(self, confirm_at: int | None = None, *, tally_ignored: bool = False) -> Dump:
        self.threads.append(threading.current_thread().name)
        self.began.set()
        assert self.may_go.wait(30)
        if self._failure is not None:
            raise self._failure
        return Dump(taken_at=float(confirm_at or 0))


async def test_the_event_loop_runs_on_while_a_dump_is_read_in_its_thread() -> None:
    table = Gated()
    thread = CensusThread(table)
    first, second = asyncio.create_task(thread.dump(7)), asyncio.create_task(thread.dump(8))
    await asyncio.to_thread(table.began.wait, 30)
    assert not first.done()
    table.may_go.set()
    assert [dump.taken_at for dump in await asyncio.gather(first, second)] == [7.0, 8.0]
    assert table.threads == ["census", "census"]


@pytest.mark.parametrize(
    "failure", [SocketTableError("dump", errno.EIO), MemoryError(), BaseExceptionGroup("odd", [KeyError()])]
)
async def test_whatever_a_dump_raises_goes_to_the_one_who_asked_and_the_thread_lives_on(failure: BaseException) -> None:
    table = Gated(failure)
    table.may_go.set()
    thread = CensusThread(table)
    for _ in range(2):
        raised = (await asyncio.gather(thread.dump(), return_exceptions=True))[0]
        assert raised is failure


async def test_who_gives_up_waiting_does_not_disturb_the_next_one() -> None:
    table = Gated()
    thread = CensusThread(table)
    given_up = asyncio.create_task(thread.dump(7))
    await asyncio.to_thread(table.began.wait, 30)
    given_up.cancel()
    table.may_go.set()
    assert (await thread.dump(8)).taken_at == 8.0
    assert given_up.cancelled()


def test_a_dump_that_ends_after_the_loop_is_closed_ends_quietly() -> None:
    table = Gated()

    async def give_up() -> CensusThread:
        thread = CensusThread(table)
        asking = asyncio.create_task(thread.dump(7))
        await asyncio.to_thread(table.began.wait, 30)
        asking.cancel()
        return thread

    thread = asyncio.run(give_up())
    table.may_go.set()
    assert asyncio.run(thread.dump(8)).taken_at == 8.0


async def test_the_thread_s_notifications_are_the_table_s(net: Loopback) -> None:
    listener = net.listen()
    _, app = net.pair(listener)
    cookie = cookie_of(app)
    watch = CensusThread(SocketTable([port_of(listener)])).watch()
    heard = asyncio.Event()
    asyncio.get_running_loop().add_reader(watch.fileno(), heard.set)
    app.close()
    await asyncio.wait_for(heard.wait(), 10)
    assert watch.read() == [(port_of(listener), cookie)]
    asyncio.get_running_loop().remove_reader(watch.fileno())
    watch.close()
