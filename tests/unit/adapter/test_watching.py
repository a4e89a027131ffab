"""A watch that is told to end tells nothing more."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from drainer.adapter.watching import Watch
from drainer.kube.words import ApiError, ApiResult
from tests.process.waiting import until


class Api:
    """One page, and two events; it halts before the page or before the second event."""

    def __init__(self, *, halts_at_page: bool) -> None:
        self._halts_at_page = halts_at_page
        self.halted, self.goes_on = threading.Event(), threading.Event()

    def call(self, method: str, path: str) -> Any:
        if self._halts_at_page:
            self._halt()
        return {"items": [1], "metadata": {"resourceVersion": "7"}}

    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        yield {"type": "ADDED", "object": {"metadata": {"resourceVersion": "8"}}}
        self._halt()
        yield {"type": "ADDED", "object": {"metadata": {"resourceVersion": "9"}}}

    def _halt(self) -> None:
        self.halted.set()
        assert self.goes_on.wait(10)


@pytest.mark.parametrize(("halts_at_page", "expected"), [(True, []), (False, ["all", "ADDED"])])
def test_what_comes_after_the_end_is_not_told(*, halts_at_page: bool, expected: list[str]) -> None:
    api = Api(halts_at_page=halts_at_page)
    told: list[str] = []
    watch = Watch(
        api,  # type: ignore[arg-type] # as far as a watch needs it
        "/api/v1/pods",
        {},
        lambda: 0.5,
        on_all=lambda _: told.append("all"),
        on_change=lambda kind, _: told.append(kind),
        on_trouble=told.append,
    )
    watch.start()
    assert api.halted.wait(10)
    watch.stop()
    assert not watch.ended(0)
    api.goes_on.set()

    assert watch.ended(10)
    assert told == expected


class Script:
    """What each watch brings, one after the other; the last ends all."""

    def __init__(self, *watches: list[Any]) -> None:
        self.watches = list(watches)
        self.since: list[str] = []
        self.over = threading.Event()

    def call(self, method: str, path: str) -> Any:
        return {"items": [], "metadata": {"resourceVersion": "7"}}

    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        self.since.append(query["resourceVersion"])
        if not self.watches:
            self.over.set()
            raise ApiError(ApiResult.UNREACHABLE, "over")
        yield from self.watches.pop(0)


def test_a_watch_goes_on_where_the_last_one_ended_and_after_an_odd_event_from_the_beginning() -> None:
    odd = {"type": "ADDED", "object": None}
    script = Script([{"type": "ADDED", "object": {"metadata": {"resourceVersion": "8"}}}], [odd], [odd])
    told: list[str] = []
    watch = Watch(
        script,  # type: ignore[arg-type] # as far as a watch needs it
        "/api/v1/pods",
        {},
        lambda: 0.0,
        on_all=lambda _: told.append("all"),
        on_change=lambda kind, _: told.append(kind),
        on_trouble=told.append,
    )
    watch.start()
    assert script.over.wait(20)
    watch.stop()

    assert watch.ended(10)
    assert script.since[:4] == ["7", "8", "7", "7"]
    sentence = "/api/v1/pods cannot be watched: odd (a watch event without an object)"
    assert told[:5] == ["all", "ADDED", sentence, "all", sentence]


def test_a_trouble_that_stays_the_same_is_told_once() -> None:
    script = Script()
    told: list[str] = []
    watch = Watch(
        script,  # type: ignore[arg-type] # as far as a watch needs it
        "/api/v1/pods",
        {},
        lambda: 0.0,
        on_all=lambda _: None,
        on_change=lambda kind, _: told.append(kind),
        on_trouble=told.append,
    )
    watch.start()
    until(lambda: len(script.since), lambda seen: seen >= 2)
    watch.stop()

    assert watch.ended(10)
    assert told == ["/api/v1/pods cannot be watched: unreachable (over)"]
