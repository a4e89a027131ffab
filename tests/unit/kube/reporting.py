"""A reporter at work on a sink that a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from drainer.cap import LimitStatus
from drainer.deletion import Deletion
from drainer.keys import SERVING
from drainer.kube.reporter import Reporter, Wishes
from drainer.phases import Announce, Outcome, Phase, Result, Tally
from drainer.policy import Readiness
from drainer.status import DrainStatus, Status
from tests.unit.fakes import now
from tests.unit.kube.pods import POD, FakeSink, pod
from tests.unit.statuses import make_status

ALL = Wishes(label=True, gate=False, condition=True, events=True)
NOTHING = Wishes(label=False, gate=False, condition=False, events=False)
TALLY = Tally(0.0, 8.0, at_start=2, arrived=0, left=2, remaining=0)


def status(phase: Phase, deletion: Deletion = Deletion.UNKNOWN) -> Status:
    drain = DrainStatus(25.0, TALLY) if phase in (Phase.SETTLING, Phase.DRAINING, Phase.CLOSING) else None
    return make_status(phase=phase, deletion=deletion, drain=drain)


def standing(*, label: str | None = None, serving: bool | None = None, reason: str = "Serving") -> dict[str, Any]:
    """A pod at which this stands."""
    condition = {"type": SERVING, "status": str(serving), "reason": reason, "message": "A sentence."}
    return pod(labels={SERVING: label} if label else {}, conditions=[] if serving is None else [condition])


class Told:
    """A reporter at work, told as the agent tells it."""

    def __init__(self, reporter: Reporter, sink: FakeSink, running: asyncio.Task[None]) -> None:
        self.reporter = reporter
        self.sink = sink
        self.running = running
        self.deletion = Deletion.UNKNOWN
        self.phase = Phase.SERVING
        self.limit: LimitStatus | None = None

    def enters(self, phase: Phase, result: Result | None = None) -> None:
        self.phase = phase
        outcome = Outcome(result, TALLY) if result else None
        told = replace(status(phase, self.deletion), limit=self.limit)
        self.reporter.announced(Announce(phase, now(), outcome), told)

    def sees(self, deletion: Deletion) -> None:
        self.deletion = deletion
        self.reporter.sighted(status(self.phase, deletion))

    @property
    def patched(self) -> list[tuple[float, str | None, str | None, str | None]]:
        """(moment, label, condition's status, reason) of each patch."""
        return [(round(at, 3), *said(body)) for at, body in self.sink.patches]

    @property
    def reasons(self) -> list[tuple[float, str]]:
        """(moment, reason) of each try of an Event."""
        return [(round(at, 3), body["reason"]) for at, body in self.sink.events]


def said(body: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    assert body["metadata"]["uid"] == POD.uid
    label = body["metadata"].get("labels", {}).get(SERVING)
    (condition,) = body.get("status", {}).get("conditions", [{}])
    return label, condition.get("status"), condition.get("reason")


@asynccontextmanager
async def reporting(
    wishes: Wishes = ALL, readiness: Readiness = Readiness.AUTO, at_first: Mapping[str, Any] | None = None
) -> AsyncIterator[Told]:
    sink = FakeSink()
    reporter = Reporter(sink, POD, wishes, readiness, lambda: 0.5)
    reporter.noted("nothing for the API")
    reporter.warned("nothing for the API")
    reporter.begin(standing(label="true") if at_first is None else at_first, status(Phase.SERVING))
    running = asyncio.create_task(reporter.run())
    try:
        yield Told(reporter, sink, running)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
