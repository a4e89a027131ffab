"""Apps that hang, TLS, and from where the agent asks."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import pytest
import trustme

from drainer.health.client import Conversation, UnwellError
from drainer.health.own import IPV4, IPV6, OwnAddresses
from drainer.target import Target
from tests.process.apps import needs_ipv6
from tests.sockets.handshakes import asked, fault, pongs, target
from tests.sockets.scripted import Client, scripted
from tests.sockets.site import becomes


@pytest.mark.parametrize("trickles", [False, True])
async def test_an_app_that_hangs_or_trickles_leaves_nothing_behind_when_time_is_up(trickles: bool) -> None:  # noqa: FBT001
    ended = asyncio.Event()

    async def hangs(client: Client) -> None:
        try:
            while trickles:
                client.say(b"H")
                await client.writer.drain()
                await asyncio.sleep(0.02)
            await client.reader.read()
        finally:
            ended.set()

    async with scripted(hangs) as app:
        with pytest.raises(TimeoutError):
            await asked(target(app), within=0.2)
        async with asyncio.timeout(5):
            await ended.wait()


async def test_an_app_that_does_not_take_connections_is_waited_for_no_longer() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.settimeout(0)
            one.connect_ex(full.getsockname())
        own = OwnAddresses()
        conversation = Conversation(Target(full.getsockname()[1]), own)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await conversation.ask()
        assert conversation.stage == "to connect"
        await conversation.close()
        own.close()
        for one in waiting:
            one.close()


async def test_a_port_where_nobody_listens_is_said() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(UnwellError, match=f"nobody listens on port {port}"):
            await asked(Target(port))


async def test_an_app_that_listens_on_another_address_is_found_where_it_listens() -> None:
    async def elsewhere() -> list[str]:
        return ["127.0.0.9"]

    async with scripted(pongs, "127.0.0.9") as app:
        own = OwnAddresses()
        conversation = Conversation(target(app), own, elsewhere)
        assert await conversation.ask() == "101 and a pong"
        await conversation.close()
        own.close()
        assert app.peers == [IPV4]


async def test_a_fault_of_this_host_is_not_the_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoDescriptor(OwnAddresses):
        def open(self, address: str) -> socket.socket:
            raise OSError(errno.EMFILE, "Too many open files")

    with pytest.raises(OSError, match="Too many open files"):
        await asked(Target(1), own=NoDescriptor())


@pytest.fixture(scope="module")
def certificate() -> trustme.LeafCert:
    return trustme.CA().issue_cert("chat.example")


def serving_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_wss_takes_any_certificate_and_tells_the_host_that_is_meant(certificate: trustme.LeafCert) -> None:
    names: list[str | None] = []
    context = serving_tls(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with scripted(pongs, tls=context) as app:
        for host in ("chat.example", "chat.example:8443", ""):
            assert await asked(target(app, tls=True, host=host)) == "101 and a pong"
    assert names == ["chat.example", "chat.example", "localhost"]


async def test_tls_where_plain_is_expected_is_said(certificate: trustme.LeafCert) -> None:
    # Asked in plain, a TLS server answers with an alert or hangs up.
    with socket.create_server(("127.0.0.1", 0)) as listener:

        async def alert() -> None:
            listener.settimeout(0)
            loop = asyncio.get_running_loop()
            taken, _ = await loop.sock_accept(listener)
            with taken:
                await loop.sock_recv(taken, 65536)
                await loop.sock_sendall(taken, b"\x15\x03\x01\x00\x02\x02\x46")

        alerting = asyncio.create_task(alert())
        with pytest.raises(UnwellError, match="the app speaks TLS: health_tls is false"):
            await asked(Target(listener.getsockname()[1]))
        await alerting


async def test_plain_where_tls_is_expected_is_said() -> None:
    async def plain(client: Client) -> None:
        client.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await client.hangs_up()

    assert await fault(plain, reads=False, tls=True) in ("no TLS: WRONG_VERSION_NUMBER", "no TLS: RECORD_LAYER_FAILURE")


async def test_an_app_that_hangs_or_closes_in_the_tls_handshake_leaves_nothing_behind() -> None:
    async def hangs(client: Client) -> None:
        await client.hangs_up()

    async with scripted(hangs, reads=False) as app:
        with pytest.raises(TimeoutError):
            await asked(target(app, tls=True), within=0.2)
        await becomes(lambda: not app.open)

    async def closes(_: Client) -> None:
        return

    assert await fault(closes, reads=False, tls=True) in (
        "the connection was closed, waiting for TLS", "no TLS: the connection was closed",
    )  # fmt: skip


@needs_ipv6
async def test_on_ipv6_it_comes_from_one_port_again_and_again_whoever_closes_first() -> None:
    own = OwnAddresses()
    ports: list[int] = []

    async def answers(client: Client) -> None:
        ports.append(client.writer.get_extra_info("peername")[1])
        await (pongs(client) if len(ports) % 2 else client.hangs_up())

    async with scripted(answers, IPV6) as app:
        for number in range(6):
            conversation = Conversation(target(app), own)
            try:
                async with asyncio.timeout(0.1 if number % 2 else 5):
                    await conversation.ask()
            except TimeoutError:
                assert number % 2
            await conversation.close()
    assert len(ports) == 6
    assert own.peers == (f"{IPV4}/32", f"[{IPV6}]:{ports[0]}")
    assert set(ports) == {ports[0]}
    own.close()


@needs_ipv6
def test_nobody_else_is_given_the_port_that_is_kept_for_ipv6() -> None:
    own = OwnAddresses()
    kept = int(own.peers[1].rpartition(":")[2])
    with socket.create_server((IPV6, 0), family=socket.AF_INET6, backlog=256) as server:
        clients = [socket.create_connection(server.getsockname()[:2]) for _ in range(200)]
        assert kept not in {client.getsockname()[1] for client in clients}
        for client in clients:
            client.close()
    own.close()


async def test_without_ipv6_there_is_ipv4_alone() -> None:
    own = OwnAddresses("2001:db8::1")  # No address of this host.
    assert own.peers == (f"{IPV4}/32",)
    with pytest.raises(OSError, match="Address family not supported"):
        own.open(IPV6)
    async with scripted(pongs) as app:
        assert await asked(target(app), own=own) == "101 and a pong"
