"""Lists objects, and follows what becomes of them, for ever: a thread for each kind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from drainer.adapter.api import Api
from drainer.kube.backoff import Backoff
from drainer.kube.words import ApiError, ApiResult

PAGE = 500
"""Objects that are listed at a time, as kubectl does."""
GONE = "DELETED"
FORBIDDEN_FOR = 15.0
"""Seconds: when a chart is installed, rights and Deployment come in any order."""


class Watch:
    """Tells of all objects at first, and whenever it had to begin anew; and of each change in between.

    What it tells is called in its thread. It never gives up: who is forbidden today may be allowed tomorrow.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        query: Mapping[str, str],
        random: Callable[[], float],
        *,
        on_all: Callable[[Sequence[Any]], object],
        on_change: Callable[[str, Any], object],
        on_trouble: Callable[[str], None],
    ) -> None:
        """`on_trouble` is told a sentence, once until it works again."""
        self._api = api
        self._path = path
        self._query = query
        self._on_all = on_all
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._backoff = Backoff(random, FORBIDDEN_FOR)
        self._told = ""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)

    def start(self) -> None:
        """A daemon thread: a watch that is silent keeps no process from exiting."""
        self._thread.start()

    def stop(self) -> None:
        """Tell nothing more."""
        self._ends.set()

    def ended(self, within: float) -> bool:
        """Whether its thread has ended in so many seconds."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        version = ""
        while not self._ends.is_set():
            try:
                if not version:
                    version = self._list()
                version = self._follow(version)
            except ApiError as error:
                # Where it stood it can go on, unless that is forgotten.
                if error.result in (ApiResult.EXPIRED, ApiResult.ODD):
                    version = ""
                # Whoever is told to go ends the connections too, and expects no word of it.
                if error.result is not ApiResult.EXPIRED and not self._ends.is_set():
                    self._complain(error)
                    self._ends.wait(self._backoff.after(error))

    def _list(self) -> str:
        """All objects, page by page; returns the version that a watch goes on from."""
        query = {**self._query, "limit": str(PAGE)}
        items: list[Any] = []
        while True:
            page = self._api.call("GET", f"{self._path}?{urlencode(query)}")
            items += page.get("items") or []
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                break
            query["continue"] = metadata["continue"]
        if not self._ends.is_set():
            self._on_all(items)
        self._works()
        return str(metadata.get("resourceVersion", ""))

    def _follow(self, version: str) -> str:
        """Until the API server ends the watch; returns the version that the next goes on from."""
        for event in self._api.stream(self._path, {**self._query, "resourceVersion": version}):
            self._works()
            changed = event.get("object")
            metadata = changed.get("metadata") if isinstance(changed, Mapping) else None
            if not isinstance(metadata, Mapping) or not metadata.get("resourceVersion"):
                raise ApiError(ApiResult.ODD, "a watch event without an object")
            if self._ends.is_set():
                break
            if event.get("type") != "BOOKMARK":
                self._on_change(str(event.get("type")), changed)
            version = str(metadata["resourceVersion"])
        return version

    def _works(self) -> None:
        self._told = ""
        self._backoff.reset()

    def _complain(self, error: ApiError) -> None:
        if self._told != error.result:
            self._told = error.result
            self._on_trouble(f"{self._path} cannot be watched: {error.result} ({error.detail})")
