"""Fake agents in one thread: each has an address of its own in 127.0.0.0/8 and all the same port, as pods have."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from tests.serving import Listener, in_thread

HANG, DROP, GARBAGE, HUGE, MISSING = "hang", "drop", "garbage", "huge", "missing"
"""Bad days: no answer, the connection dies, no JSON, 10 MB, HTTP 404."""
HUGE_BYTES = 10_000_000


@dataclass
class Agents:
    """Address -> how many connections it has, or how bad its day is."""

    port: int = 0
    says: dict[str, int | str] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    draining: set[str] = field(default_factory=set)
    keeps_cost: set[str] = field(default_factory=set)
    census_age: float = 0.0
    asked: Counter[str] = field(default_factory=Counter)
    together: int = 0
    most_together: int = 0

    def status(self, address: str, connections: int) -> bytes:
        """As an agent says it, as far as it is read."""
        limit = self.limits.get(address)
        return json.dumps(
            {
                "version": "1",
                "phase": "draining" if address in self.draining else "serving",
                "connections": {"total": connections, "serving": 0 if address in self.draining else connections},
                "kubernetes": {"deletion_cost": address in self.keeps_cost},
                "source": {"census_age_seconds": self.census_age},
                "limit": {"connections": limit, "utilization": connections / limit} if limit else None,
            },
            indent=2,
        ).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        self.asked[address] += 1
        self.together += 1
        self.most_together = max(self.together, self.most_together)
        try:
            await reader.readuntil(b"\r\n\r\n")
            says = self.says.get(address, MISSING)
            if says == HANG:
                await reader.read()
            elif says != DROP:
                body = self._body(address, says)
                code = b"404 Not Found" if says == MISSING else b"200 OK"
                head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (code, len(body))
                writer.write(head + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.together -= 1
            writer.transport.abort() if self.says.get(address) == DROP else writer.close()

    def _body(self, address: str, says: int | str) -> bytes:
        if isinstance(says, int):
            return self.status(address, says)
        return b"x" * HUGE_BYTES if says == HUGE else b"<html>a captive portal</html>"


def addresses(count: int) -> list[str]:
    """So many of them."""
    return [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]


@contextmanager
def agents(where: Sequence[str]) -> Iterator[Agents]:
    """Listens at all these addresses until the end of the block."""
    made = Agents()

    @asynccontextmanager
    async def serve() -> AsyncIterator[Agents]:
        listeners = [Listener.at(where[0])]
        made.port = listeners[0].port
        listeners += [Listener.at(address, made.port) for address in where[1:]]
        servers = [await asyncio.start_server(made.answer, sock=listener, backlog=128) for listener in listeners]
        yield made
        for listener in listeners:
            await listener.hang_up()
        for server in servers:
            server.close()

    with in_thread("agents", serve):
        yield made
