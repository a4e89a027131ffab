"""A WebSocket app on `websockets` that closes connections when it is told to."""

from __future__ import annotations

import asyncio
import json

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

clients: set[ServerConnection] = set()


async def echo(client: ServerConnection) -> None:
    clients.add(client)
    try:
        async for message in client:
            await client.send(message)
    except ConnectionClosed:
        pass  # 1012 is none of the codes that this library takes for a normal end
    finally:
        clients.discard(client)


# ---- on notice
closing: set[asyncio.Task[None]] = set()


async def drain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        order = json.loads(await reader.readexactly(length))
        for _ in range(min(order["close"], len(clients))):
            task = asyncio.create_task(clients.pop().close(order["code"], order["reason"]))
            closing.add(task)
            task.add_done_callback(closing.discard)
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    except (EOFError, LookupError, ValueError):
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    finally:
        writer.close()


# ---- end


async def main() -> None:
    async with serve(echo, "", 8080) as server:
        # ---- at start
        await asyncio.start_server(drain, "127.0.0.1", 9809)
        # ---- end
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
