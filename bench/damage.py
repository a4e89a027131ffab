"""What the websocket closer does to servers that push: altered streams, lost messages, and whom it leaves alone.

Real servers, real clients, numbered messages. Altered is worse than lost: the client takes it for good. Lost is what
the server's library took in the round trip of the close, which RFC 6455 (section 5.5.1) lets clients ignore.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.agent import Agent, Call, agent
from bench.child import Child, children
from bench.closing import LackingError, await_closer, flags
from bench.pushers import APPS, Push
from bench.report import MISSED, Table
from bench.sockets import free_port

HEADER = ("server", "pushes on each connection", "closed", "with 1012", "altered", "lost by each", "skipped", "met")
RESTART = 1012
WARM_SECONDS = 0.5
"""Of pushing, before the drain."""


@dataclass(frozen=True, slots=True)
class Load:
    """Connections, and what is pushed on each."""

    what: str
    push: Push
    count: int
    rounds: int


LOADS = (
    Load("nothing", Push(0, 200), 200, 2),
    Load("10/s of 200 B", Push(10, 200), 200, 2),
    Load("100/s of 200 B", Push(100, 200), 40, 5),
    Load("5/s of 1 MB", Push(5, 1_000_000), 10, 5),
    # The rest of a message waits in the app while its loop is held up and the kernel's queue drains.
    Load("2.5/s of 1 MB, loop held up for 200 of 400 ms", Push(2.5, 1_000_000, 0.02), 10, 10),
)
QUICK_LOADS = tuple(Load(load.what, load.push, load.count, 1) for load in (LOADS[2], LOADS[4]))
WINDOW, QUICK_WINDOW = 3.0, 1.5
UNREMARKABLE = {"sent", "gone"}


@dataclass(slots=True)
class Sum:
    """All rounds of one load."""

    connections: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    """Of the connections that ended."""
    altered: int = 0
    """Messages."""
    lost: int = 0
    """Messages of the connections that ended."""
    skipped: Counter[str] = field(default_factory=Counter)
    """The closer's words for those that it left alone to the end."""

    def add(self, mets: Iterable[Mapping[str, Any]], verdicts: Mapping[str, int]) -> None:
        """One round: what its clients have met with, with `sent` beside it, and what the closer said."""
        for met in mets:
            self.connections += 1
            self.altered += met["altered"]
            if met["code"] is not None:
                self.codes[met["code"]] += 1
                self.lost += max(0, met["sent"] - met["received"] - met["altered"])
        self.skipped.update({word: count for word, count in verdicts.items() if word not in UNREMARKABLE})

    def row(self, server: str, what: str) -> tuple[str, ...]:
        """For the table."""
        closed, clean = self.codes.total(), self.codes[RESTART]
        harmless = clean == closed > 0 and not self.altered
        return (
            server,
            what,
            f"{closed} of {self.connections}",
            str(clean),
            str(self.altered),
            f"{self.lost / max(1, closed):.2f}",
            ", ".join(f"{count} {word}" for word, count in self.skipped.items()) or "none",
            "yes" if harmless else MISSED,
        )


def run(*, quick: bool) -> list[Table]:
    """All loads on all servers; some of both if it is to be quick."""
    rows: list[tuple[str, ...]] = []
    notes = [
        f"Met: none altered, and all that were closed with {RESTART}. Lost: sent in the round trip of the close.",
        "Half of the clients are by websockets, half by aiohttp; without compression.",
    ]
    loads, window = (QUICK_LOADS, QUICK_WINDOW) if quick else (LOADS, WINDOW)
    for server in APPS:
        try:
            sums = _damage(server, loads, window)
        except LackingError as lacking:
            notes.append(f"{server}: missing: {lacking}")
        else:
            rows += [one.row(server, load.what) for load, one in zip(loads, sums, strict=True)]
    return [Table("Damage by the closer websocket", HEADER, rows, notes)]


def _damage(server: str, loads: Iterable[Load], window: float) -> list[Sum]:
    """The sums of each load. Raises LackingError."""
    port = free_port()
    app = Child("bench.pushers", server, port)
    rounds: list[tuple[Load, dict[str, Any], dict[str, int]]] = []
    with children(app), agent(port, *flags("websocket", port, window)) as one:
        await_closer(one)
        for load in loads:
            for _ in range(load.rounds):
                rounds.append((load, *_round(one, port, len(rounds), load)))
    # The app says what it has sent when it ends.
    sent = json.loads(app.end())
    sums = {load: Sum() for load in loads}
    for load, mets, verdicts in rounds:
        sums[load].add([{**met, "sent": sent[name]} for name, met in mets.items()], verdicts)
    return list(sums.values())


def _round(one: Agent, port: int, number: int, load: Load) -> tuple[dict[str, Any], dict[str, int]]:
    """One drain: what its clients have met with, by name, and the closer's verdicts."""
    clients = Child("bench.pushed", port, load.count, load.push.path(str(number)))
    with children(clients):
        time.sleep(WARM_SECONDS)
        _, body, _ = Call(one.port, "/drain").answer()
        one.call("/resume", "POST")
        mets: dict[str, Any] = json.loads(clients.end())
    verdicts: dict[str, int] = json.loads(body)["attempts"].get("websocket", {})
    return mets, verdicts
