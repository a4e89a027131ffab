"""Runs one Drain on the event loop: a single timer, armed anew after every input."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from drainer.attempt import Attempt
from drainer.deletion import Sighting
from drainer.drain import Drain
from drainer.model import Census, Identity
from drainer.phases import Action, Announce, Close


class Driver:
    """Tells a Drain the time and hands on what follows. What is called must not raise."""

    def __init__(
        self,
        drain: Drain,
        on_announce: Callable[[Announce], None],
        on_close: Callable[[Close], None] = lambda _: None,
    ) -> None:
        self.drain = drain
        self._on_announce = on_announce
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, *, by_kubelet: bool = False) -> None:
        """See Drain.begin."""
        self._carry_out(self.drain.begin(self._loop.time(), by_kubelet=by_kubelet))

    def advance(self) -> None:
        """See Drain.advance; for whoever cannot wait for the timer that is due in this very moment."""
        self._carry_out(self.drain.advance(self._loop.time()))

    def observe(self, census: Census) -> None:
        """See Drain.observe; time acts first, so that a late census cannot outrun the deadline."""
        self.advance()
        self._carry_out(self.drain.observe(census, self._loop.time()))

    def learn(self, sighting: Sighting) -> None:
        """See Drain.learn."""
        self._carry_out(self.drain.learn(sighting, self._loop.time()))

    def equip(self, unusable: frozenset[str]) -> None:
        """These closers cannot work: see Drain.unusable."""
        self.drain.unusable = unusable
        self.advance()

    def answer(self, closer: str, attempts: Mapping[Identity, Attempt]) -> None:
        """See Drain.answer."""
        self._carry_out(self.drain.answer(closer, attempts, self._loop.time()))

    def resume(self) -> None:
        """See Drain.resume."""
        self._carry_out(self.drain.resume(self._loop.time()))

    def conclude(self) -> None:
        """See Drain.conclude."""
        self._carry_out(self.drain.conclude(self._loop.time()))

    def stop(self) -> None:
        """No more timers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _carry_out(self, actions: Sequence[Action]) -> None:
        self.stop()
        wake_at = self.drain.wake_at()
        if wake_at is not None:
            self._timer = self._loop.call_at(wake_at, self._on_time, wake_at)
        for action in actions:
            if isinstance(action, Announce):
                self._on_announce(action)
            else:
                self._on_close(action)

    def _on_time(self, wake_at: float) -> None:
        # A timer may fire a hair early (the loop's clock resolution): never show the drain a time before its own.
        self._carry_out(self.drain.advance(max(wake_at, self._loop.time())))
