"""Connections on loopback are destroyed for real."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.closers.reset import ResetCloser
from drainer.errors import SocketTableError
from drainer.model import TcpState
from drainer.run import raise_descriptor_limit
from drainer.sockets.netlink import NetlinkTable
from drainer.sockets.roster import Roster
from tests.process.waiting import until
from tests.sockets.loopback import Loopback, cookie_of, cookies_of, deafen, dump_until, ids, in_a_child, port_of
from tests.sockets.test_netlink_table import FAMILIES

GONE, SENT = Attempt(Verdict.GONE), Attempt(Verdict.SENT)
_ABORT_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER."""

RosterOf = Callable[..., Roster]


@pytest.fixture
def roster_of(net: Loopback) -> Iterator[RosterOf]:
    """A roster of these listeners' ports, where it may destroy."""
    made: list[Roster] = []

    def make(*listeners: socket.socket, ignored: tuple[str, ...] = ()) -> Roster:
        roster = Roster([port_of(listener) for listener in listeners], ignored)
        made.append(roster)
        if roster.can_destroy() == errno.EPERM:
            pytest.skip("destroying sockets needs root (CAP_NET_ADMIN)")
        return roster

    yield make
    for roster in made:
        roster.close()


def reset(roster: Roster, *cookies: int) -> dict[int, Attempt]:
    return ResetCloser(roster).close(cookies, lambda: True)


def errno_of(sock: socket.socket) -> int | None:
    """What the owner of this end is told; None if it is told nothing."""
    sock.setblocking(False)  # noqa: FBT003 - the one that the name says
    try:
        sock.recv(1)
    except BlockingIOError:
        return None
    except OSError as error:
        return error.errno
    raise AssertionError("neither an error nor silence")


def told(sock: socket.socket) -> int | None:
    """The same, waited for. Who has been told once is not told again."""
    return until(lambda: errno_of(sock), lambda code: code is not None)


def lives(client: socket.socket, app: socket.socket) -> bool:
    for sock in (client, app):
        sock.settimeout(10)
    client.sendall(b"?")
    app.sendall(app.recv(1))
    return client.recv(1) == b"?"


@FAMILIES
def test_the_app_is_told_that_it_was_aborted_and_the_client_that_it_was_reset(
    net: Loopback, roster_of: RosterOf, host: str, client_host: str
) -> None:
    listener = net.listen(host)
    client, app = net.pair(listener, client_host)
    others = net.pair(listener, client_host)
    roster = roster_of(listener)
    assert reset(roster, cookie_of(app)) == {cookie_of(app): SENT}
    assert errno_of(app) == errno.ECONNABORTED
    assert told(client) == errno.ECONNRESET
    assert reset(roster, cookie_of(app)) == {cookie_of(app): GONE}
    assert lives(*others)


@FAMILIES
def test_a_connection_that_the_app_has_not_accepted_is_reset_too(
    net: Loopback, roster_of: RosterOf, host: str, client_host: str
) -> None:
    listener = net.listen(host)
    client = net.connect(listener, client_host)
    roster = roster_of(listener)
    [cookie] = roster.cookies()
    assert reset(roster, cookie) == {cookie: SENT}
    assert told(client) == errno.ECONNRESET
    assert roster.cookies() == set()
    # The app accepts what is left of it, if anything, and then goes on.
    listener.settimeout(10)
    following = net.connect(listener, client_host)
    accepted = net._stack.enter_context(listener.accept()[0])
    if cookie_of(accepted) == cookie:
        assert errno_of(accepted) == errno.ECONNABORTED
        accepted = net._stack.enter_context(listener.accept()[0])
    assert lives(following, accepted)


def test_a_connection_in_close_wait_is_reset_too(net: Loopback, roster_of: RosterOf) -> None:
    listener = net.listen()
    client, app = net.pair(listener)
    client.shutdown(socket.SHUT_WR)
    roster = roster_of(listener)
    cookie = cookie_of(app)
    until(lambda: roster.look_up([cookie])[cookie].state, lambda state: state is TcpState.CLOSE_WAIT)
    assert reset(roster, cookie) == {cookie: SENT}
    assert told(client) == errno.ECONNRESET


def test_unsent_bytes_do_not_keep_a_connection(net: Loopback, roster_of: RosterOf) -> None:
    listener = net.listen()
    client, app = net.pair(listener)
    app.settimeout(0)
    with pytest.raises(BlockingIOError):
        app.sendall(bytes(1 << 26))
    assert reset(roster_of(listener), cookie_of(app)) == {cookie_of(app): SENT}
    assert errno_of(app) == errno.ECONNABORTED
    client.settimeout(10)
    with pytest.raises(ConnectionResetError):  # noqa: PT012 - what is on the way comes first, or not
        while client.recv(1 << 20):
            pass


def test_another_socket_with_the_same_addresses_is_left_alone(net: Loopback, roster_of: RosterOf) -> None:
    listener = net.listen("0.0.0.0")
    # An address of its own: nobody else takes the port in between.
    client, app = net.pair(listener, "127.0.0.1", "127.84.3.9")
    roster = roster_of(listener)
    old, source = cookie_of(app), client.getsockname()
    assert set(roster.look_up([old])) == {old}
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_ON_CLOSE)
    client.close()
    app.close()
    successor = net._stack.enter_context(socket.create_connection(("127.0.0.1", port_of(listener)), 10, source))
    accepted = net._stack.enter_context(listener.accept()[0])
    assert successor.getsockname() == source
    assert reset(roster, old) == {old: GONE}
    with pytest.raises(SocketTableError) as raised:
        roster.destroy(old)
    assert raised.value.errno == errno.ENOENT
    assert lives(successor, accepted)


def test_nothing_is_touched_that_is_no_live_connection_on_an_app_port(net: Loopback, roster_of: RosterOf) -> None:
    listener, other = net.listen("0.0.0.0"), net.listen()
    client, app = net.pair(listener, "127.0.0.1")
    ignored = net.pair(listener, "127.0.0.1", "127.0.0.2")
    foreign = net.pair(other)
    roster = roster_of(listener, ignored=("127.0.0.2/32",))
    untouchable = cookies_of([client, *ignored, *foreign, listener, other])
    assert reset(roster, *untouchable) == dict.fromkeys(untouchable, GONE)
    for cookie in untouchable:
        with pytest.raises(SocketTableError) as raised:
            roster.destroy(cookie)
        assert raised.value.errno == errno.ENOENT
    assert lives(client, app)
    assert lives(*ignored)
    assert lives(*foreign)


def test_the_last_bytes_of_an_app_that_has_closed_are_not_thrown_away(net: Loopback, roster_of: RosterOf) -> None:
    listener = net.listen()
    client, app = net.pair(listener)
    roster = roster_of(listener)
    cookie = cookie_of(app)
    assert set(roster.look_up([cookie])) == {cookie}
    deafen(client)
    app.sendall(b"last words")
    app.close()
    table = NetlinkTable([port_of(listener)])
    assert reset(roster, cookie) == {cookie: GONE}
    dump_until(table.dump, lambda dump: ids(dump, listener, TcpState.FIN_WAIT1) == {cookie})


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_a_thousand_connections_are_reset_and_the_rest_lives(net: Loopback, roster_of: RosterOf, host: str) -> None:
    if raise_descriptor_limit() < 2200:
        pytest.skip("needs 2,200 descriptors (ulimit -n)")
    listener = net.listen(host)
    clients, apps = net.pairs(listener, 1010)
    roster = roster_of(listener)
    cookies = [cookie_of(app) for app in apps[:1000]]
    assert reset(roster, *cookies) == dict.fromkeys(cookies, SENT)
    assert {errno_of(app) for app in apps[:1000]} == {errno.ECONNABORTED}
    assert {told(client) for client in clients[:1000]} == {errno.ECONNRESET}
    assert roster.cookies() == cookies_of(apps[1000:])
    assert all(lives(*pair) for pair in zip(clients[1000:], apps[1000:], strict=True))


def test_a_drain_that_is_over_ends_no_further_connection(net: Loopback, roster_of: RosterOf) -> None:
    listener = net.listen()
    clients, apps = net.pairs(listener, 5)
    answers = iter([True, True, False])
    cookies = [cookie_of(app) for app in apps]
    attempts = ResetCloser(roster_of(listener)).close(cookies, lambda: next(answers))
    assert attempts == dict.fromkeys(cookies[:2], SENT)
    assert all(lives(*pair) for pair in zip(clients[2:], apps[2:], strict=True))


_WITHOUT_THE_RIGHT = """
import os, sys
from drainer.closers.reset import ResetCloser
from drainer.sockets.roster import Roster
os.geteuid() or os.seteuid(65534)
roster = Roster([int(sys.argv[1])])
closer = ResetCloser(roster)
print(closer.missing())
for cookie, attempt in closer.close([int(text) for text in sys.argv[2:]], lambda: True).items():
    print(cookie, attempt.verdict, attempt.detail)
roster.close()
os.seteuid(os.getuid())
"""


def test_without_the_capability_it_says_so_and_nothing_ends(net: Loopback) -> None:
    listener = net.listen()
    clients, apps = net.pairs(listener, 3)
    cookies = [str(cookie_of(app)) for app in apps]
    missing, *attempts = in_a_child(_WITHOUT_THE_RIGHT, str(port_of(listener)), *cookies).splitlines()
    assert missing == "the capability CAP_NET_ADMIN is missing (capabilities.add: [NET_ADMIN] and runAsUser: 0)"
    assert attempts == [f"{cookie} refused EPERM" for cookie in cookies]
    assert all(lives(*pair) for pair in zip(clients, apps, strict=True))


def test_with_the_capability_nothing_is_missing(net: Loopback, roster_of: RosterOf) -> None:
    assert ResetCloser(roster_of(net.listen())).missing() is None


def test_who_arrives_while_others_are_reset_is_reset_in_its_turn(net: Loopback, roster_of: RosterOf) -> None:
    listener = net.listen()
    kept = net.pair(listener)
    roster = roster_of(listener)
    for _ in range(5):
        client, app = net.pair(listener)
        cookie = cookie_of(app)
        assert reset(roster, cookie) == {cookie: SENT}
        with suppress(OSError), closing(client):
            app.close()
    assert roster.cookies() == {cookie_of(kept[1])}
    assert lives(*kept)
