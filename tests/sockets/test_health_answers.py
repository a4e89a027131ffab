"""Every answer of an app that is none."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from drainer.health.client import MAX_BYTES
from tests.sockets.handshakes import asked, fault, target
from tests.sockets.scripted import Client, Script, scripted
from tests.sockets.site import becomes


def answering(answer: bytes) -> Script:
    async def script(client: Client) -> None:
        client.say(answer)
        await client.hangs_up()

    return script


def upgrading(*lines: bytes, without: bytes = b"") -> Script:
    """A 101 with more or fewer lines."""

    async def script(client: Client) -> None:
        fields = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + client.accept]
        kept = [line for line in fields if not (without and line.startswith(without))]
        client.say(b"\r\n".join([b"HTTP/1.1 101 Switching", *kept, *lines, b"", b""]))
        await client.hangs_up()

    return script


NO_UPGRADES = [
    (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "answered 200, not 101"),
    (answering(b"HTTP/1.0 403 No\r\n\r\n"), "answered 403, not 101"),
    (answering(b"HTTP/1.1 \r\n\r\n"), "answered without a status, not 101"),
    (answering(b"SSH-2.0-OpenSSH\r\n\r\n"), "what came is no answer of HTTP/1.1"),
    (answering(b"\xff" * 20_000), "an answer without an end in 16384 bytes"),
    (upgrading(without=b"Upgrade"), "101 without Upgrade: websocket"),
    (upgrading(without=b"Connection"), "101 without Connection: Upgrade"),
    (upgrading(without=b"Sec"), "101 with a wrong Sec-WebSocket-Accept"),
    (upgrading(b"Sec-WebSocket-Accept: AAAA", without=b"Sec"), "101 with a wrong Sec-WebSocket-Accept"),
    (upgrading(b"Sec-WebSocket-Extensions: permessage-deflate"), "101 with an extension that was not offered"),
    (upgrading(b"Sec-WebSocket-Protocol: x"), "101 with a subprotocol that was not offered"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "said"), NO_UPGRADES, ids=range(len(NO_UPGRADES)))
async def test_an_answer_that_is_no_upgrade_is_said_in_one_sentence(script: Script, said: str) -> None:
    assert await fault(script) == said


async def test_of_two_offered_subprotocols_a_server_chooses_one_at_the_most() -> None:
    both = upgrading(b"Sec-WebSocket-Protocol: a, b")
    assert await fault(both, subprotocols=("a", "b")) == "101 with a subprotocol that was not offered"


def framing(*frame: bytes) -> Script:
    async def script(client: Client) -> None:
        client.upgrade()
        client.say(b"".join(frame))
        await client.hangs_up()

    return script


NO_FRAMES = [
    (framing(b"\xc1\x00"), "a frame with reserved bits: no extension was agreed on"),
    (framing(b"\x81\x80abcd"), "a masked frame from a server"),
    (framing(b"\x83\x00"), "a frame of the unknown type 3"),
    (framing(b"\x8a\x7e\x00\x7e"), "a control frame that is too long, or in pieces"),
    (framing(b"\x0a\x00"), "a control frame that is too long, or in pieces"),
    (framing(b"\x88\x02\x03\xf3"), "closed with 1011, waiting for the answer to ping"),
    (framing(b"\x88\x00"), "closed with 1005, waiting for the answer to ping"),
    (framing(b"\x82\x7f" + (10_000_000).to_bytes(8, "big") + bytes(10_000_000)),
     f"more than {MAX_BYTES} bytes came, waiting for the answer to ping"),
    (framing(b"\x82\x7f" + b"\xff" * 8), f"more than {MAX_BYTES} bytes came, waiting for the answer to ping"),
    (framing(*[b"\x81\x7d" + bytes(125)] * 10_000),
     f"more than {MAX_BYTES} bytes came, waiting for the answer to ping"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "said"), NO_FRAMES, ids=range(len(NO_FRAMES)))
async def test_frames_that_no_server_sends_are_refused_and_a_flood_is_not_taken_in(script: Script, said: str) -> None:
    assert await fault(script) == said


async def test_an_app_that_closes_at_once_or_in_the_middle_is_not_well() -> None:
    async def closes(_: Client) -> None:
        return

    async def half(client: Client) -> None:
        client.say(b"HTTP/1.1 101 Swi")

    async def cut(client: Client) -> None:
        client.upgrade()
        client.say(b"\x8a\x7d abc")

    async def resets(client: Client) -> None:
        sock = client.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    head, ping = "for the answer to the handshake", "for the answer to ping"
    for script, waiting in ((closes, head), (half, head), (resets, head), (cut, ping)):
        assert await fault(script) == f"the connection was closed, waiting {waiting}"


async def test_an_app_that_goes_while_it_is_told_goodbye_was_well() -> None:
    async def goes(client: Client) -> None:
        client.upgrade()
        _, payload = await client.hears()
        client.frame(0x8A, payload)
        sock = client.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with scripted(goes) as app:
        assert await asked(target(app)) == "101 and a pong"


async def test_an_app_that_never_closes_or_goes_on_sending_is_left_in_a_moment_with_a_reset() -> None:
    ends: list[str] = []

    async def stays(client: Client) -> None:
        client.upgrade()
        _, payload = await client.hears()
        client.frame(0x8A, payload)
        try:
            await client.reader.read()
            await client.reader.read()
        except ConnectionResetError:
            ends.append("reset")

    async def floods(client: Client) -> None:
        client.upgrade()
        _, payload = await client.hears()
        client.frame(0x8A, payload)
        try:
            while True:
                client.say(bytes(65536))
                await client.writer.drain()
        except ConnectionError:
            ends.append("reset")

    for script in (stays, floods):
        async with scripted(script) as app:
            began_at = time.monotonic()
            assert await asked(target(app)) == "101 and a pong"
            assert time.monotonic() - began_at < 2
            await becomes(lambda: not app.open)
    assert ends == ["reset", "reset"]
