"""A WebSocket app on FastAPI and uvicorn that closes connections when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

clients: set[WebSocket] = set()


# ---- on notice
closing: set[asyncio.Task[None]] = set()
inner = FastAPI()


@inner.post("/drain", status_code=204)
async def drain(order: dict[str, Any]) -> None:
    for _ in range(min(order["close"], len(clients))):
        task = asyncio.create_task(clients.pop().close(order["code"], order["reason"]))
        closing.add(task)
        task.add_done_callback(closing.discard)


@contextlib.asynccontextmanager
async def listen_for_notice(_: FastAPI) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(inner, host="127.0.0.1", port=9809, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    yield
    server.should_exit = True
    await serving


# ---- end

# ---- at start
app = FastAPI(lifespan=listen_for_notice)
# ---- end


@app.websocket("/")
async def echo(client: WebSocket) -> None:
    await client.accept()
    clients.add(client)
    try:
        while True:
            await client.send_text(await client.receive_text())
    except WebSocketDisconnect:
        pass
    finally:
        clients.discard(client)


if __name__ == "__main__":
    uvicorn.run(app, host="", port=8080)
