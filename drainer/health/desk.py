"""GET /health and GET /health/live: what the app's probes read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from aiohttp import web

from drainer.health.prober import Prober
from drainer.phases import Phase
from drainer.status import Status
from drainer.vitals import CURRENT_FOR, Bounds, Check, Checkup, Name, check_up
from drainer.web import Route, as_answer

HEALTH, LIVE = "/health", "/health/live"


class Teller(Protocol):
    """Who is told when the app is well no longer, or again."""

    def noted(self, note: str) -> None: ...
    def warned(self, warning: str) -> None: ...


class Desk:
    """Asks the app when it is asked itself. `latest` is what was found."""

    def __init__(
        self, prober: Prober, bounds: Bounds, misses: int, status: Callable[[], Status], teller: Teller
    ) -> None:
        """`misses`: so many handshakes in a row without an answer, and the app is not alive."""
        self._prober = prober
        self._bounds = bounds
        self._misses = misses
        self._status = status
        self._teller = teller
        self._told: Sequence[Name] = ()
        self.latest = Checkup(asyncio.get_running_loop().time(), ())

    @property
    def routes(self) -> tuple[Route, ...]:
        """For the server."""
        return Route("GET", HEALTH, self._health), Route("GET", LIVE, self._live)

    async def _health(self, _: web.Request, _peer: str) -> web.Response:
        checkup = await self._check_up()
        self._tell(checkup)
        # What holds for longer is shown for longer.
        self.latest = replace(checkup, good_for=max(CURRENT_FOR, 2 * self._prober.interval))
        now = asyncio.get_running_loop().time()
        return as_answer(checkup.as_json(now), 200 if checkup.is_well else 503)

    async def _check_up(self) -> Checkup:
        status = self._status()
        if not status.ready:
            # Nobody new is wanted: an app that is going should not be asked to take one more.
            return Checkup(status.at, (Check(Name.READY, passed=False, detail=_why(status)),))
        asked = await self._prober.ask()
        status = self._status()
        if status.phase is not Phase.SERVING:
            self._prober.forgive()
        usage, connections = status.vitals.usage, status.census.shown
        return check_up(asked, self._bounds, connections, usage, self._prober.misses)

    async def _live(self, _: web.Request, _peer: str) -> web.Response:
        detail = ""
        if self._status().phase is Phase.SERVING:
            detail = (await self._prober.ask()).detail
        phase = self._status().phase
        if phase is not Phase.SERVING:
            # To be killed is the last that an app needs whose clients are leaving; and one that goes may say no.
            self._prober.forgive()
            detail = phase
        alive = self._prober.misses < self._misses
        answer = {"alive": alive, "misses": self._prober.misses, "bound": self._misses, "detail": detail}
        return as_answer(answer, 200 if alive else 503)

    def _tell(self, checkup: Checkup) -> None:
        """Say what has changed; what a drain does has been said."""
        failing = tuple(name for name in checkup.failing if name is not Name.READY)
        if failing == self._told or checkup.failing == [Name.READY]:
            return
        self._told = failing
        if failing:
            details = ", ".join(f"{one.name} ({one.detail})" for one in checkup.checks if not one.passed)
            self._teller.warned(f"the app is not well: {details}")
        else:
            self._teller.noted("the app is well again")


def _why(status: Status) -> str:
    return "/readyz says no" if status.phase is Phase.SERVING else f"/readyz says {status.phase}"
