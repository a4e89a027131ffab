"""The tap on real loopback traffic: it needs CAP_NET_RAW."""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from websockets.sync.client import connect

from drainer.closers.tap import Tap, _bind
from drainer.closers.tap_filter import handshake_filter
from drainer.errors import SocketTableError
from drainer.sockets.roster import Roster
from tests.process.apps import needs_ipv6
from tests.process.waiting import until
from tests.sockets.app_child import running
from tests.sockets.forked import become, in_a_thread, needs_root
from tests.sockets.loopback import Loopback, cookie_of, port_of
from tests.unit.closers.packets import INCOMING, Packet

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
HEAD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
GET = b"GET /upload HTTP/1.1\r\nHost: a\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 150\r\n\r\n"


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


def shake(
    net: Loopback, listener: socket.socket, host: str = "", *, request: bytes = REQUEST, answer: bytes = HEAD
) -> socket.socket:
    """The app's end of a new connection that has said these."""
    client, app = net.pair(listener, host)
    client.sendall(request)
    app.sendall(answer)
    return app


def sees(tap: Tap, app: socket.socket) -> None:
    until(lambda: tap.knows(cookie_of(app)), bool)


@needs_net_raw
def test_an_upgrade_is_seen_and_other_answers_are_not(net: Loopback, listener: socket.socket, tap: Tap) -> None:
    heads = {
        "plain HTTP": b"HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "another upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        "too short": b"HTTP/1.1 10",
        "in the middle": b" " + HEAD,
    }
    others = [shake(net, listener, answer=head) for head in heads.values()]
    client, upside_down = net.pair(listener)
    upside_down.sendall(REQUEST)
    client.sendall(HEAD)  # what a client says is no answer
    sees(tap, shake(net, listener, answer=HEAD.replace(b"Sec-WebSocket-Accept", b"sec-websocket-accept")))
    assert not any(tap.knows(cookie_of(other)) for other in [*others, upside_down])


@needs_net_raw
@pytest.mark.parametrize(
    ("host", "client_host"), [("::1", "::1"), ("::", "127.0.0.1"), ("::", "::1")], ids=["IPv6", "mapped", "dual"]
)
@needs_ipv6
def test_ipv6_and_ipv4_on_a_dual_stack_listener(net: Loopback, host: str, client_host: str) -> None:
    listener = net.listen(host)
    with closing(Roster([port_of(listener)])) as rows, closing(Tap([port_of(listener)], rows)) as tap:
        sees(tap, shake(net, listener, client_host))


@needs_net_raw
def test_who_gives_another_answer_is_no_websocket_whatever_it_said_before(
    net: Loopback, listener: socket.socket, tap: Tap
) -> None:
    app = shake(net, listener)
    sees(tap, app)
    app.sendall(PAGE)
    until(lambda: tap.knows(cookie_of(app)), lambda known: not known)


@needs_net_raw
@pytest.mark.parametrize("request_head", [GET, REQUEST], ids=["anybody", "who sent the key that it was made for"])
def test_a_file_that_looks_like_an_upgrade_marks_no_connection(
    net: Loopback, listener: socket.socket, tap: Tap, request_head: bytes
) -> None:
    app = shake(net, listener, request=request_head, answer=PAGE)
    app.sendall(HEAD)
    sees(tap, shake(net, listener))
    assert not tap.knows(cookie_of(app))


@needs_net_raw
@pytest.mark.parametrize("request_head", [b"", GET, REQUEST.replace(b"dGhl", b"dGhm")])
def test_an_answer_that_does_not_fit_what_was_asked_is_no_upgrade(
    net: Loopback, listener: socket.socket, tap: Tap, request_head: bytes
) -> None:
    app = shake(net, listener, request=request_head)
    sees(tap, shake(net, listener))
    assert not tap.knows(cookie_of(app))


@needs_net_raw
def test_a_request_that_came_in_pieces_is_answered_by_any_upgrade(
    net: Loopback, listener: socket.socket, tap: Tap
) -> None:
    sees(tap, shake(net, listener, request=REQUEST[: REQUEST.index(b"Sec-WebSocket-Key")]))


@needs_net_raw
def test_an_answer_that_is_sent_again_takes_nothing_back(net: Loopback, listener: socket.socket, tap: Tap) -> None:
    app = shake(net, listener)
    sees(tap, app)
    app.sendall(HEAD)
    sees(tap, shake(net, listener))
    assert tap.knows(cookie_of(app))


@needs_net_raw
def test_another_port_is_not_seen(net: Loopback, listener: socket.socket, tap: Tap) -> None:
    stranger = shake(net, net.listen())
    sees(tap, shake(net, listener))
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
        numbers = itertools.count(1)

        def hands(answer: bytes = HEAD) -> None:
            """Each at another port."""
            number = next(numbers)
            tap._note(Packet(kind=INCOMING, port=number, payload=REQUEST).encode())
            tap._note(Packet(port=number, payload=answer).encode())

        names.alive = {1, 2, 4}
        for _ in range(1024):
            hands()
        assert (names.dumps, tap.knows(1000), tap.knows(3)) == (0, True, False)
        for _ in range(3):
            hands()
        assert names.dumps == 2
        assert (tap.knows(1), tap.knows(3), tap.knows(1000)) == (True, False, False)
        assert set(tap._marks.values()) == {1, 2, 4, 1027}
        names.fails = True
        hands()
        hands(HEAD.replace(b"Accept", b"Answer"))
        assert tap.missing() is None


@needs_net_raw
def test_requests_that_nobody_answers_are_forgotten_before_they_are_many() -> None:
    with closing(Tap([1], Names())) as tap:
        for port in range(1, 5000):
            tap._note(Packet(kind=INCOMING, port=port, payload=REQUEST).encode())
        assert [ends.port for ends in tap._wanted] == list(range(904, 5000))


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


def test_the_filter_fits_for_as_many_ports_as_the_settings_allow() -> None:
    assert len(handshake_filter(range(1, 257))) // 8 < 4096
