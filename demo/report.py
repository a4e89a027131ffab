"""What is planned, what became of it, and whether that is what it should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from demo.clients import Crowd

APP_RESERVE = 5.0
"""Seconds of the grace period that the app keeps for its own SIGTERM."""


SLACK = 0.5
"""Seconds within which the parts of a busy machine see one and the same close: the kernel tells the agent first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who does what when; seconds from the hook."""

    clients: int
    grace: float
    staying: int
    closers: bool
    lead: float = 3.0
    """Seconds of ordinary serving before the hook."""

    @property
    def window(self) -> float:
        """The deadline."""
        return self.grace - APP_RESERVE

    @property
    def settle(self) -> float:
        return min(5.0, self.window / 3)

    @property
    def last_leave(self) -> float:
        return min(12.0, self.window * 2 / 3)

    @property
    def late(self) -> int:
        """Clients that come after the hook."""
        return max(1, self.clients // 25)


@dataclass(slots=True)
class Report:
    """All that was seen, filled in as the pod goes."""

    plan: Plan
    crowd: Crowd
    answer: dict[str, Any]
    """The hook's, empty if there was none."""
    answered_at: float
    """Monotonic, as is `last_close`."""
    held: float
    """Seconds from the hook's call to its answer."""
    ready: bool
    """What the last probe before the answer got."""
    last_close: float = 0.0
    """When the app's last connection closed, before SIGTERM; 0 if there was none."""
    app_went_early: bool = False
    agent_went_early: bool = False
    app_code: int | None = None
    agent_code: int | None = None

    @property
    def outcome(self) -> str:
        return str(self.answer.get("outcome", "no answer"))

    @property
    def drained(self) -> bool:
        return self.outcome == "drained"

    @property
    def cut(self) -> int:
        """Clients whose connection was ended by somebody else."""
        return self.crowd.cut.total()

    def rows(self) -> list[tuple[str, str]]:
        """For the summary."""
        answer, crowd = self.answer, self.crowd
        codes = f" (close code {', '.join(map(str, sorted(crowd.cut)))})" if self.cut else ""
        rows = [("outcome", f"{self.outcome} after {self.held:.1f} s")]
        if answer:
            counted = "{connections_at_start} at the start + {arrived} arrived = {left} left + {remaining} remaining"
            rows.append(("connections", counted.format(**answer)))
        told = len(crowd.told)
        people = f"{crowd.left} left by themselves, {told} told to go (1012), {self.cut} cut{codes}"
        rows.append(("clients", f"{people}; {crowd.messages} messages"))
        if told > 1:
            first, last = min(crowd.told), max(crowd.told)
            rows.append(
                ("pace", f"{told} closed in {last - first:.1f} s, at most {self._most_in_a_second()} in any second")
            )
        if self.drained and self.last_close:
            milliseconds = max(0.0, self.answered_at - self.last_close) * 1000
            rows.append(("answered", f"{milliseconds:.1f} ms after the last connection closed"))
        return [*rows, ("exit codes", f"app {self.app_code}, agent {self.agent_code}")]

    def verdict(self) -> tuple[bool, str]:
        """Whether all was well, and a sentence."""
        faults = [*self._faults_of_the_drain(), *self._faults_of_the_order()]
        if faults:
            return False, f"The drain was not what it should be: {', and '.join(faults)}."
        left, told = self.crowd.left, len(self.crowd.told)
        return True, f"Nobody was cut: {left} clients left by themselves, {told} were told to go, one by one."

    def _most_in_a_second(self) -> int:
        told = sorted(self.crowd.told)
        return max(sum(at <= one < at + 1 for one in told) for at in told)

    def _faults_of_the_drain(self) -> Iterator[str]:
        if not self.answer:
            yield "the hook got no answer"
        elif not self.drained:
            yield f"the outcome was {self.outcome} with {self.answer['remaining']} connections left"
        elif not self.cut and self.answered_at < self.crowd.last_leave_at - SLACK:
            yield "the hook was answered before the last client had left"
        elif not self._counted_right():
            yield f"the agent's count is not that of the {self.plan.clients} clients and the {self.plan.late} late ones"
        if self.cut:
            yield f"{self.cut} clients were cut"
        if self.crowd.refused:
            yield f"{self.crowd.refused} late clients were turned away"
        if self.ready:
            yield "the readiness probe never went off"

    def _faults_of_the_order(self) -> Iterator[str]:
        if self.app_went_early:
            yield "the app went before it was asked to"
        if self.agent_went_early:
            yield "the agent went before it was asked to"
        for name, code in (("app", self.app_code), ("agent", self.agent_code)):
            if code != 0:
                yield f"the {name} exited with {code}"

    def _counted_right(self) -> bool:
        answer, clients, late = self.answer, self.plan.clients, self.plan.late
        counted = answer["connections_at_start"], answer["arrived"], answer["left"], answer["remaining"]
        return counted == (clients, late, clients + late, 0)
