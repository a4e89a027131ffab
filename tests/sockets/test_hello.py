"""Which servers are taken for TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.closers import hello
from drainer.closers.hello import Answer, say_hello
from drainer.closers.websocket import WebSocketCloser
from drainer.model import Connection, Listener
from drainer.sockets.roster import Roster
from tests.process.apps import needs_ipv6
from tests.sockets.app_child import AppChild, running
from tests.sockets.loopback import Loopback, port_of


@contextmanager
def answering(listener: socket.socket, answer: Callable[[socket.socket], object]) -> Iterator[None]:
    """`answer` is given one connection."""

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            answer(peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join(20)


def encrypt(peer: socket.socket) -> None:
    """Without a certificate: the answer to a valid hello is an alert that no cipher suits."""
    with pytest.raises(ssl.SSLError) as raised:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(peer, server_side=True)
    assert raised.value.reason == "NO_SHARED_CIPHER"


def said(host: str, listener: socket.socket, answer: Callable[[socket.socket], object]) -> Answer:
    with answering(listener, answer):
        return say_hello(host, port_of(listener))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", pytest.param("::1", marks=needs_ipv6)])
def test_a_server_that_encrypts_answers_with_a_record(net: Loopback, host: str) -> None:
    assert said(host, net.listen("127.0.0.1" if host == "0.0.0.0" else host), encrypt) is Answer.TLS


def test_a_handshake_is_a_record_too(net: Loopback) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"\x16\x03\x03")

    assert said("127.0.0.1", net.listen(), serve) is Answer.TLS


def test_whoever_says_something_else_does_not_encrypt(net: Loopback) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert said("127.0.0.1", net.listen(), serve) is Answer.PLAIN


def test_whoever_hangs_up_does_not_encrypt(net: Loopback) -> None:
    def reset(peer: socket.socket) -> None:
        peer.recv(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert said("127.0.0.1", net.listen(), lambda peer: peer.recv(4096)) is Answer.PLAIN
    assert said("127.0.0.1", net.listen(), reset) is Answer.PLAIN


def test_silence_is_told_apart(net: Loopback) -> None:
    listener = net.listen()
    with closing(Roster([port_of(listener)])) as rows:
        assert say_hello("127.0.0.1", port_of(listener)) is Answer.SILENCE
        assert rows.cookies() == set()  # Nothing is left in the queue of one that accepts nothing.


def test_nobody_there_is_an_error(net: Loopback) -> None:
    listener = net.listen()
    port = port_of(listener)
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        say_hello("127.0.0.1", port)


def test_a_wildcard_listener_without_ipv6_loopback_is_asked_over_ipv4(net: Loopback) -> None:
    assert said("::", net.listen("127.0.0.1"), encrypt) is Answer.TLS


@pytest.mark.parametrize(
    ("to_a_request", "to_the_hello", "answer"),
    [
        # As Tornado does.
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", Answer.PLAIN),
        (b"SSH-2.0-OpenSSH\r\n", b"", Answer.SILENCE),
        # As nginx does where it encrypts, if the hello comes to a worker that is busy.
        (b"HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n", b"\x15\x03\x03", Answer.TLS),
    ],
)
def test_who_is_silent_to_a_hello_is_sent_a_request(
    net: Loopback, to_a_request: bytes, to_the_hello: bytes, answer: Answer
) -> None:
    listener = net.listen()

    def serve() -> None:
        first, _ = listener.accept()
        second, _ = listener.accept()
        with first, second:
            second.recv(4096)
            first.sendall(to_the_hello)
            second.sendall(to_a_request)
            answered.wait(10)

    answered = threading.Event()
    server = threading.Thread(target=serve)
    server.start()
    try:
        assert say_hello("127.0.0.1", port_of(listener)) is answer
    finally:
        answered.set()
        server.join()


def test_many_that_are_silent_take_the_time_of_one(net: Loopback) -> None:
    targets = {("127.0.0.1", port_of(net.listen())) for _ in range(8)}
    gone = ("127.0.0.1", 1)
    began = time.monotonic()
    answers = hello.say_hello_to_all(targets | {gone})
    assert answers == dict.fromkeys(targets, Answer.SILENCE)
    assert time.monotonic() - began < 8 * 1.5


def test_a_port_that_encrypts_is_not_asked_again() -> None:
    closer = WebSocketCloser(Nobody(), None, declared_ports=[7], code=1012, reason="", unproven=False)
    listener = Listener(1, 7, 1, "127.0.0.1")
    assert closer._is_open(listener)
    closer._encrypted[7] = False  # Another one has said so.
    assert closer._is_open(listener)
    closer._encrypted[7] = True
    assert not closer._is_open(listener)


def test_one_that_encrypts_speaks_for_its_port_and_silence_takes_nothing_back() -> None:
    closer = WebSocketCloser(Nobody(), None, declared_ports=[7], code=1012, reason="", unproven=False)
    closer._encrypted[7] = True
    closer._probe([Listener(1, 7, 1, "127.0.0.1")])
    assert (closer._encrypted, closer._answered) == ({7: True}, set())


class Nobody:
    """No rows."""

    def look_up(self, cookies: Iterable[int]) -> dict[int, Connection]:
        return {}

    def listeners(self) -> Sequence[Listener]:
        return ()


def test_the_hello_has_the_lengths_that_it_says() -> None:
    record = hello.client_hello(bytes(32))
    assert int.from_bytes(record[3:5], "big") == len(record) - 5
    assert int.from_bytes(record[6:9], "big") == len(record) - 9


@pytest.fixture
def encrypted() -> Iterator[AppChild]:
    with running("library_app.py", "tls") as app:
        yield app


def test_an_app_that_encrypts_on_a_declared_port_is_left_alone(encrypted: AppChild) -> None:
    closer = WebSocketCloser(
        encrypted.rows, None, declared_ports=[encrypted.port], code=1012, reason="", unproven=False
    )
    assert closer.missing() is None
    client = encrypted.connect()
    cookie = encrypted.only().cookie
    assert closer.close([cookie], lambda: True) == {cookie: Attempt(Verdict.TLS)}
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1)


def test_a_listener_that_has_answered_is_not_asked_again_and_one_that_is_gone_is_no_error(net: Loopback) -> None:
    with running("library_app.py", "websockets") as app:
        closer = WebSocketCloser(app.rows, None, declared_ports=[app.port, 1], code=1012, reason="", unproven=False)
        [listener] = app.rows.listeners()
        assert closer.missing() is None
        app.kill()
        closer._probe([listener])
        assert closer._encrypted == {app.port: False}
        assert closer._answered == {listener.cookie}
