"""Clients that number their messages, and reconnect at once when they are closed, as badly behaved ones do.

One process holds many of them: `python -m rollout.clients LIBRARY PORT FIRST COUNT SECONDS RECORDS`. It prints a line
of JSON when all are connected, and on SIGTERM writes every life (`rollout.accounts.Life`) to RECORDS, one line each.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import resource
import signal
import sys
import time
from pathlib import Path

from rollout.accounts import Life
from rollout.lines import LINES, ClosedError, Line, RefusedError
from rollout.processes import until

ASK_EVERY = 5.0
"""Seconds between two questions of one client."""
RETRY_AFTER = 0.05
"""Seconds after a refusal: asking faster would take the machine from the others."""


CONNECT_TIMEOUT = 60.0
"""Seconds after the last arrival, in which all must be served."""


class Client:
    """One client, and its lives."""

    def __init__(self, line: type[Line], port: int, number: int) -> None:
        self._open = line.open
        self._port = port
        self._number = number
        self._line: Line | None = None
        self._asked = 0
        self._unanswered: dict[str, float] = {}
        self.lives: list[Life] = []

    @property
    def is_connected(self) -> bool:
        return self._line is not None

    async def live(self) -> None:
        """Until cancelled."""
        while True:
            self.lives.append(Life(self._number, len(self.lives) + 1, (), None, None))
            line = self._line = await self._connect()
            self._note(opened_at=time.monotonic())
            try:
                await self._hear(line)
            except ClosedError as closed:
                self._line = None
                self._note(closed_at=closed.at, code=closed.code, unanswered=tuple(self._unanswered.values()))
                self._unanswered.clear()
            finally:
                await line.end()

    async def ask(self) -> None:
        """Send the next number, which is to come back."""
        if self._line is None:
            return
        self._asked += 1
        # Written down before: the answer may be here before this task has its turn again.
        question = str(self._asked)
        self._unanswered[question] = time.monotonic()
        try:
            await self._line.ask(self._asked)
        except ClosedError:
            self._unanswered.pop(question, None)

    def _note(self, **changes: object) -> None:
        self.lives[-1] = dataclasses.replace(self.lives[-1], **changes)  # type: ignore[arg-type]

    async def _connect(self) -> Line:
        while True:
            self._note(attempts=(*self.lives[-1].attempts, time.monotonic()))
            try:
                return await self._open(self._port, self.lives[-1].name)
            except RefusedError:
                await asyncio.sleep(RETRY_AFTER)

    async def _hear(self, line: Line) -> None:
        received = altered = 0
        try:
            while True:
                kind, number = await line.hear()
                if (kind, number) == ("p", str(received + 1)):
                    received += 1
                elif kind != "q" or self._unanswered.pop(number, None) is None:
                    altered += 1
        finally:
            self._note(received=received, altered=altered)


async def main(library: str, port: int, numbers: range, seconds: float, records: Path) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    clients = [Client(LINES[library], port, number) for number in numbers]
    living = []
    for client in clients:
        living.append(asyncio.create_task(client.live()))
        await asyncio.sleep(seconds / len(clients))
    await until(lambda: all(client.is_connected for client in clients), CONNECT_TIMEOUT)
    print(json.dumps({"connected": len(clients)}), flush=True)
    while not stopping.is_set():
        for client in clients:
            await client.ask()
            if stopping.is_set():
                break
            await asyncio.sleep(ASK_EVERY / len(clients))
    for life in living:
        life.cancel()
    await asyncio.wait(living)
    lives = [json.dumps(dataclasses.asdict(life)) for client in clients for life in client.lives]
    await asyncio.to_thread(records.write_text, "\n".join(lives) + "\n")


def raise_descriptor_limit() -> None:
    """One descriptor for each connection."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    raise_descriptor_limit()
    first, count = int(sys.argv[3]), int(sys.argv[4])
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), range(first, first + count), float(sys.argv[5]), Path(sys.argv[6])))
