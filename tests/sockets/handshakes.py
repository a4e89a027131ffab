"""Handshakes with scripted apps, and what came of them."""

from __future__ import annotations

import asyncio

import pytest

from drainer.health import frames
from drainer.health.client import Conversation, UnwellError
from drainer.health.own import OwnAddresses
from drainer.target import Ask, Target
from tests.sockets.scripted import App, Client, Script, scripted


def target(app: App, ask: Ask = Ask.PING, **more: object) -> Target:
    return Target(app.port, ask, **more)  # type: ignore[arg-type] # each is of its field's type


async def asked(aim: Target, within: float = 5.0, own: OwnAddresses | None = None) -> str:
    """What came of it; the connection has come to its end."""
    mine = own or OwnAddresses()
    conversation = Conversation(aim, mine)
    try:
        async with asyncio.timeout(within):
            return await conversation.ask()
    finally:
        await conversation.close()
        mine.close()


async def fault(script: Script, ask: Ask = Ask.PING, *, reads: bool = True, **more: object) -> str:
    """What is said of an app that is not well."""
    async with scripted(script, reads=reads) as app:
        with pytest.raises(UnwellError) as caught:
            await asked(target(app, ask, **more))
        return str(caught.value)


async def pongs(client: Client) -> None:
    """A server as it should be."""
    client.upgrade()
    while (heard := await client.hears())[0] != frames.CLOSE:
        opcode, payload = heard
        client.frame(0x80 | (frames.PONG if opcode == frames.PING else opcode), payload)
    client.frame(0x88, heard[1])
