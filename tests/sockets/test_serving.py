"""Servers of tests end with all of their connections, those too that came at the very end."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme
from aiohttp import web

from tests.serving import PATIENCE, serving


def server_side() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@contextmanager
def busy_server(tls: ssl.SSLContext | None) -> Iterator[int]:
    """The port of a server whose loop does not turn from now until a moment after the end of the block."""
    is_held, is_over = threading.Event(), threading.Event()

    async def hold(_: web.Request) -> web.Response:
        is_held.set()
        is_over.wait(PATIENCE)
        time.sleep(0.1)  # noqa: ASYNC251 - its loop is what is held
        return web.Response()

    client_side = ssl.create_default_context()
    client_side.check_hostname, client_side.verify_mode = False, ssl.CERT_NONE
    with (
        serving("busy", [web.get("/", hold)], tls) as port,
        socket.create_connection(("127.0.0.1", port)) as client,
        client_side.wrap_socket(client) if tls else client as asking,
    ):
        asking.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert is_held.wait(PATIENCE)
        yield port
        is_over.set()


@pytest.mark.parametrize("tls", [None, server_side()], ids=["plain", "TLS"])
def test_who_comes_when_a_server_ends_is_not_left_over(tls: ssl.SSLContext | None) -> None:
    with busy_server(tls) as port:
        stays, goes = (socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(2))
        goes.close()
    with stays:
        assert stays.recv(1) == b""
    # What asyncio had forgotten would be a warning here, and so an error.
    gc.collect()
