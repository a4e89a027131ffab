"""Who is told what happens, and the care that telling never does harm."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from drainer.phases import Announce
from drainer.status import Status

TELL_AGAIN_AFTER = 60.0
"""Seconds until the same trouble is told again."""


def word(error: Exception) -> str:
    """What an error says, or at least what it is."""
    return str(error) or type(error).__name__


class Observer(Protocol):
    """Is told what happens. Whatever it raises is counted nowhere and changes nothing."""

    def announced(self, announce: Announce, status: Status) -> None:
        """The phase has changed."""
        ...

    def sighted(self, status: Status) -> None:
        """`status.deletion` has changed."""
        ...

    def limited(self, status: Status) -> None:
        """`status.limit.room` has changed."""
        ...

    def noted(self, note: str) -> None:
        """Something that explains what the agent does later."""
        ...

    def warned(self, warning: str) -> None:
        """Something that the user should know."""
        ...


class Observers:
    """All of them, as one."""

    def __init__(self, observers: Sequence[Observer], clock: Callable[[], float]) -> None:
        self._observers = observers
        self._clock = clock
        self._told: dict[str, float] = {}

    def announced(self, announce: Announce, status: Status) -> None:
        """See Observer."""
        self._tell(lambda observer: observer.announced(announce, status))

    def sighted(self, status: Status) -> None:
        """See Observer."""
        self._tell(lambda observer: observer.sighted(status))

    def limited(self, status: Status) -> None:
        """See Observer."""
        self._tell(lambda observer: observer.limited(status))

    def noted(self, note: str) -> None:
        """See Observer."""
        self._tell(lambda observer: observer.noted(note))

    def warned(self, warning: str) -> None:
        """See Observer."""
        self._tell(lambda observer: observer.warned(warning))

    def troubled(self, trouble: str) -> None:
        """A warning about something that goes on: the same words not more than once a minute."""
        now = self._clock()
        if now - self._told.get(trouble, float("-inf")) >= TELL_AGAIN_AFTER:
            self._told = {told: at for told, at in self._told.items() if now - at < TELL_AGAIN_AFTER}
            self._told[trouble] = now
            self.warned(trouble)

    def _tell(self, call: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            with contextlib.suppress(Exception):
                call(observer)
