"""Names to addresses for aiohttp's client, without what would keep the process from exiting."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from drainer.worker import Worker


class Resolver(AbstractResolver):
    """The addresses of a name, asked for in a daemon thread.

    aiohttp's own one uses the loop's executor, and a process cannot exit while a name server keeps that waiting.
    """

    def __init__(self) -> None:
        self._worker: Worker | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See AbstractResolver."""
        if self._worker is None:
            self._worker = Worker("resolve")
        # As bytes: Python would encode a text once more, and raise something else for a name that is too long.
        name = host.encode()
        found = await self._worker.run(lambda: socket.getaddrinfo(name, port, family, socket.SOCK_STREAM))
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=its_family,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for its_family, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """See AbstractResolver. The thread waits for work until the process ends."""
