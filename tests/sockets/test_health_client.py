"""The handshake with an app that is well: what is asked, and how it is ended."""

from __future__ import annotations

import struct

import pytest

from drainer.health import frames
from drainer.health.own import IPV4
from drainer.target import Ask
from tests.sockets.handshakes import asked, pongs, target
from tests.sockets.scripted import Client, scripted
from tests.sockets.site import becomes

SECRET = "Bearer-of-a-secret"


@pytest.mark.parametrize(
    ("ask", "detail"), [(Ask.HANDSHAKE, "101"), (Ask.PING, "101 and a pong"), (Ask.ECHO, "101 and an echo")]
)
async def test_an_app_that_answers_is_well(ask: Ask, detail: str) -> None:
    async with scripted(pongs) as app:
        assert await asked(target(app, ask)) == detail
        assert app.peers == [IPV4]


async def test_the_request_is_what_the_settings_say() -> None:
    async with scripted(pongs) as app:
        await asked(
            target(app, path="/ws?a=b", host="chat.example", origin="https://chat.example",
                   headers=(("Authorization", SECRET), ("X-A", "1")))
        )  # fmt: skip
        first, *lines = app.heads[0].split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines if line)
    assert first == "GET /ws?a=b HTTP/1.1"
    assert len(fields.pop("Sec-WebSocket-Key")) == 24
    assert fields.pop("User-Agent").startswith("drainer/")
    assert fields == {
        "Host": "chat.example", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Origin": "https://chat.example", "Authorization": SECRET, "X-A": "1",
    }  # fmt: skip


async def test_a_user_agent_of_ones_own_is_the_only_one() -> None:
    async with scripted(pongs) as app:
        await asked(target(app, headers=(("user-agent", "mine"),)))
        assert app.heads[0].lower().count("user-agent") == 1
        assert f"Host: localhost:{app.port}\r\n" in app.heads[0]


async def test_a_server_may_choose_one_of_the_subprotocols_or_none() -> None:
    async def chooses(client: Client) -> None:
        client.upgrade(b"Sec-WebSocket-Protocol: v1.chat")
        await client.hears()

    for script in (chooses, pongs):
        async with scripted(script) as app:
            assert await asked(target(app, Ask.HANDSHAKE, subprotocols=("v2.chat", "v1.chat"))) == "101"
            assert "Sec-WebSocket-Protocol: v2.chat, v1.chat\r\n" in app.heads[0]


async def test_what_the_app_pushes_before_its_answer_is_passed_over() -> None:
    async def pushes(client: Client) -> None:
        client.upgrade()
        _, ping = await client.hears()
        client.frame(0x81, b'0{"sid":"x"}')
        client.frame(0x02, b"a" * 300)
        client.frame(0x80, b"b" * 70_000)
        client.frame(0x8A, b"another pong")
        client.frame(0x89, b"are you there?")
        assert await client.hears() == (frames.PONG, b"are you there?")
        client.frame(0x8A, ping)
        await client.hangs_up()

    async with scripted(pushes) as app:
        assert await asked(target(app)) == "101 and a pong"


async def test_each_handshake_has_a_key_of_its_own() -> None:
    async with scripted(pongs) as app:
        await asked(target(app))
        await asked(target(app))
        first, second = (head.partition("Sec-WebSocket-Key: ")[2][:24] for head in app.heads)
        assert first != second


async def test_a_websocket_is_ended_as_the_protocol_says_and_not_with_a_reset() -> None:
    ends: list[object] = []

    async def remembers(client: Client) -> None:
        client.upgrade()
        opcode, payload = await client.hears()
        client.frame(0x8A, payload)
        opcode, payload = await client.hears()
        ends.append((opcode, struct.unpack(">H", payload)))
        client.frame(0x88, payload)
        client.writer.write_eof()
        ends.append(await client.reader.read())

    async with scripted(remembers) as app:
        await asked(target(app))
        await becomes(lambda: len(ends) == 2)
    assert ends == [(frames.CLOSE, (1000,)), b""]
