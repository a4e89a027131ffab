"""The tap on real loopback traffic: it needs CAP_NET_RAW."""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from websockets.sync.client import connect

from drainer.closers.tap import Tap, _bind, addresses, upgrade_filter
from drainer.errors import SocketTableError
from drainer.sockets.roster import Roster
from tests.process.apps import needs_ipv6
from tests.process.waiting import until
from tests.sockets.app_child import running
from tests.sockets.forked import become, in_a_thread, needs_root
from tests.sockets.loopback import Loopback, cookie_of, port_of

HEAD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def _may_tap() -> bool:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM).close()
    except PermissionError:
        return False
    return True


needs_net_raw = pytest.mark.skipif(not _may_tap(), reason="a packet socket needs CAP_NET_RAW")


@pytest.fixture
def listener(net: Loopback) -> socket.socket:
    return net.listen()


@pytest.fixture
def tap(listener: socket.socket) -> Iterator[Tap]:
    rows = Roster([port_of(listener)])
    with closing(rows), closing(Tap([port_of(listener)], rows)) as made:
        assert made.missing() is None
        yield made


def sees(tap: Tap, app: socket.socket) -> None:
    until(lambda: tap.knows(cookie_of(app)), bool)


@needs_net_raw
def test_an_upgrade_is_seen_and_other_answers_are_not(net: Loopback, listener: socket.socket, tap: Tap) -> None:
    others = {
        "plain HTTP": b"HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "another upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        "too short": b"HTTP/1.1 10",
        "in the middle": b" " + HEAD,
    }
    apps = []
    for said in others.values():
        _, app = net.pair(listener)
        app.sendall(said)
        apps.append(app)
    client, upside_down = net.pair(listener)
    client.sendall(HEAD)  # what a client says is no answer
    _, app = net.pair(listener)
    app.sendall(HEAD.replace(b"Sec-WebSocket-Accept", b"sec-websocket-accept"))
    sees(tap, app)
    assert not any(tap.knows(cookie_of(other)) for other in [*apps, upside_down])


@needs_net_raw
@pytest.mark.parametrize(
    ("host", "client_host"), [("::1", "::1"), ("::", "127.0.0.1"), ("::", "::1")], ids=["IPv6", "mapped", "dual"]
)
@needs_ipv6
def test_ipv6_and_ipv4_on_a_dual_stack_listener(net: Loopback, host: str, client_host: str) -> None:
    listener = net.listen(host)
    with closing(Roster([port_of(listener)])) as rows, closing(Tap([port_of(listener)], rows)) as tap:
        _, app = net.pair(listener, client_host)
        app.sendall(HEAD)
        sees(tap, app)


@needs_net_raw
def test_who_gives_another_answer_is_no_websocket_whatever_it_said_before(
    net: Loopback, listener: socket.socket, tap: Tap
) -> None:
    """A file that looks like the head of an upgrade, served on a connection that is kept alive."""
    _, app = net.pair(listener)
    app.sendall(HEAD)
    sees(tap, app)
    app.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    until(lambda: tap.knows(cookie_of(app)), lambda known: not known)


@needs_net_raw
@pytest.mark.parametrize("change", [(b"\r\n\r\n", b"\r\n"), (b"websocket", b"h2c"), (b"s3pP", b"?")])
def test_half_a_head_and_other_upgrades_are_not_seen(
    net: Loopback, listener: socket.socket, tap: Tap, change: tuple[bytes, bytes]
) -> None:
    _, other = net.pair(listener)
    other.sendall(HEAD.replace(*change))
    _, app = net.pair(listener)
    app.sendall(HEAD)
    sees(tap, app)
    assert not tap.knows(cookie_of(other))


@needs_net_raw
def test_another_port_is_not_seen(net: Loopback, listener: socket.socket, tap: Tap) -> None:
    _, stranger = net.pair(net.listen())
    stranger.sendall(HEAD)
    _, app = net.pair(listener)
    app.sendall(HEAD)
    sees(tap, app)
    assert not tap.knows(cookie_of(stranger))


@needs_net_raw
@pytest.mark.parametrize("library", ["websockets", "aiohttp", "threads"])
def test_upgrades_by_libraries_are_seen(library: str) -> None:
    with running("library_app.py", library) as app, closing(Tap([app.port], Roster([app.port]))) as tap:
        with connect(f"ws://127.0.0.1:{app.port}"):
            cookie = app.only().cookie
            until(lambda: tap.knows(cookie), bool)
        tap._names.close()  # type: ignore[attr-defined]


class Names:
    """A socket table of which the test decides what is alive, and when it fails."""

    def __init__(self) -> None:
        self.alive: set[int] = set()
        self.dumps = 0
        self.next = 0
        self.fails = False

    def identify(self, port: int, local: bytes, peer: bytes, peer_port: int) -> int | None:
        if self.fails:
            raise SocketTableError("sock_diag")
        self.next += 1
        return self.next if self.next != 3 else None

    def cookies(self) -> set[int]:
        self.dumps += 1
        return self.alive


@needs_net_raw
def test_the_dead_are_forgotten_before_they_are_many() -> None:
    names = Names()
    with closing(Tap([1], names)) as tap:
        numbers = itertools.count()

        def packet(head: bytes = HEAD) -> bytes:
            """Each from another port."""
            return bytes([0x45, *bytes(19)]) + bytes(2) + next(numbers).to_bytes(2, "big") + bytes(16) + head

        names.alive = {1, 2, 4}
        for _ in range(1024):
            tap._mark(packet())
        assert (names.dumps, tap.knows(1000), tap.knows(3)) == (0, True, False)
        for _ in range(3):
            tap._mark(packet())
        assert names.dumps == 2
        assert (tap.knows(1), tap.knows(3), tap.knows(1000)) == (True, False, False)
        names.fails = True
        tap._mark(packet())
        tap._mark(packet(HEAD.replace(b"Accept", b"Answer")))
        assert tap.missing() is None


@needs_root
def test_without_the_capability_it_says_so_and_starts_later(listener: socket.socket) -> None:
    def said() -> str | None:
        become(1000)
        with closing(Tap([1], Names())) as tap:
            return tap.missing()

    assert in_a_thread(said) == "CAP_NET_RAW (runAsUser: 0 with it added), or all app ports in websocket_ports"


def test_a_tap_that_failed_tells_the_errno_and_is_started_again() -> None:
    names = Names()
    with closing(Tap(range(1, 3000), names)) as tap:  # more instructions than BPF_MAXINSNS
        assert str(tap.missing()).endswith(("EINVAL", "websocket_ports"))


@needs_net_raw
def test_a_tap_whose_socket_fails_is_started_again() -> None:
    with closing(Tap([1], Names())) as tap:
        broken, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            other.sendall(b"x")
            broken.shutdown(socket.SHUT_RDWR)
        first = tap._thread
        tap._watch(Failing(broken))
        assert str(tap._failure) == "[Errno 100] Network is down"
        assert tap.missing() == "watching upgrades failed: ENETDOWN"
        assert tap._thread is first


class Failing(socket.socket):
    def __init__(self, like: socket.socket) -> None:
        super().__init__(fileno=like.detach())

    def recv(self, *_: object) -> bytes:
        raise OSError(errno.ENETDOWN, "Network is down")


def test_a_socket_that_cannot_be_bound_is_an_error() -> None:
    with socket.socket() as other, pytest.raises(OSError, match="not supported"):
        _bind(other)


def test_addresses_of_both_families() -> None:
    tcp = bytes([0x1F, 0x90, 0xC3, 0x50]) + bytes(16)
    ipv4 = bytes([0x46, *bytes(11)]) + b"\x0a\0\0\1" + b"\x0a\0\0\2" + bytes(4) + tcp
    assert addresses(ipv4) == (8080, b"\x0a\0\0\1", b"\x0a\0\0\2", 50000)
    ipv6 = bytes([0x60, *bytes(7)]) + 15 * b"\0" + b"\1" + 15 * b"\0" + b"\2" + tcp
    assert addresses(ipv6) == (8080, 15 * b"\0" + b"\1", 15 * b"\0" + b"\2", 50000)


def test_the_filter_fits_for_as_many_ports_as_the_settings_allow() -> None:
    assert len(upgrade_filter(range(1, 257))) // 8 < 4096
