"""Asks who else of the own pod's Services takes connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from drainer.cap import View
from drainer.kube import slices
from drainer.kube.words import ApiError


class Source(Protocol):
    """Who can be asked; whatever fails is an ApiError."""

    async def slices(self, services: Iterable[str] = ()) -> list[Mapping[str, Any]]: ...


class Neighbours:
    """A `limiter.Neighbours`. A pod that is out of its Services is in none of their slices, so it remembers them."""

    def __init__(self, client: Source, uid: str) -> None:
        self._client = client
        self._uid = uid
        self._services: set[str] = set()

    async def look(self, *, anew: bool) -> View:
        """See limiter.Neighbours. What the API does not say is not known."""
        try:
            found = await self._client.slices(() if anew else self._services)
        except ApiError:
            return View(None)
        own = slices.services_of(found, self._uid)
        if own and anew:
            self._services = own
        return slices.view(found, self._uid, self._services)
