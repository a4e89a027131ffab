"""The ways to stop a replica that are compared, and what each of them promises."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goals:
    """What must hold, beside that all come back and that nobody needs SIGKILL; the exit code is 1 when it does not."""

    crossed: bool
    """Whether pushes may cross a Close that the server's library knows nothing of."""
    abnormal: int = 0
    lost: int = 0
    ratio: float = 1.5
    closings_per_client: float = 1.02


@dataclass(frozen=True, slots=True)
class Strategy:
    """One of them."""

    name: str
    words: str
    sleeps: bool = False
    """Whether the preStop hook only sleeps."""
    close: str | None = None
    """The agent's closers; None without an agent."""
    notifies: bool = False
    """Whether the app has the endpoint that the agent notifies."""
    goals: Goals | None = None

    @property
    def has_agent(self) -> bool:
        return self.close is not None


STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        Strategy("none", "no hook: SIGTERM at once"),
        Strategy("sleep", "preStop: sleep", sleeps=True),
        Strategy("agent", "the agent, no closer", close=""),
        Strategy(
            "notify",
            "the agent tells the app, batch by batch",
            close="notify",
            notifies=True,
            goals=Goals(crossed=False),
        ),
        Strategy(
            "websocket",
            "the agent writes Close for an app that knows nothing",
            close="websocket,shutdown,reset",
            goals=Goals(crossed=True),
        ),
        Strategy("reset", "the agent resets", close="reset"),
    )
}


@dataclass(frozen=True, slots=True)
class Times:
    """Of one stop, in seconds; what fits 30 s is made shorter for less."""

    grace: float
    lag: float = 1.0
    """From the beginning of a stop until the balancer is told: endpoints change beside the stop, not before it."""

    @property
    def sleep(self) -> float:
        return min(15.0, self.grace / 2)

    @property
    def settle(self) -> float:
        return min(5.0, self.grace / 6)

    @property
    def app_reserve(self) -> float:
        return min(5.0, self.grace / 6)

    @property
    def escalate_after(self) -> float:
        return min(2.0, self.grace / 15)
