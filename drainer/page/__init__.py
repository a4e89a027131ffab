"""The page to look at: what it remembers (`record`, pure), how it is put together (`sheet`), how it is served (`live`).

`page.html`, `page.css`, `words.js`, `charts.js` and `page.js` become one document that asks nobody for anything but its
stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from drainer.observers import Observer
from drainer.status import Status
from drainer.web import Route


class Seen(Protocol):
    """What a page needs of an agent."""

    def status(self) -> Status: ...
    async def fresh_status(self) -> Status: ...


class NoPage:
    """There is none: in place of a `live.Page`, for an agent that should not carry one."""

    observers: Sequence[Observer] = ()
    routes: Sequence[Route] = ()

    def begin(self, agent: Seen) -> None:
        """See Page."""

    def leave(self) -> None:
        """See Page."""
