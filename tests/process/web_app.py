"""An app as users write them: the `websockets` library's echo server. Tests start it as a program; SIGTERM ends it."""

from __future__ import annotations

import asyncio
import signal
import sys

from websockets.asyncio.server import ServerConnection, serve


async def echo(client: ServerConnection) -> None:
    async for message in client:
        await client.send(message)


async def main(host: str, port: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with serve(echo, host or None, port, ping_interval=None):
        sys.stderr.write("serving\n")
        await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
