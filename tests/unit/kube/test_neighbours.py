"""Which slices are asked for, and what is made of no answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from drainer.kube.neighbours import Neighbours
from drainer.kube.slices import SERVICE_NAME
from drainer.kube.words import ApiError, ApiResult
from tests.unit.kube.pods import POD, failure
from tests.unit.kube.slices import OWN, endpoint, one


class FakeSlices:
    """A `neighbours.Source`."""

    def __init__(self, *there: Mapping[str, Any]) -> None:
        self.there = [*there]
        self.failure: ApiError | None = None
        self.asked: list[set[str]] = []

    async def slices(self, services: Iterable[str] = ()) -> list[Mapping[str, Any]]:
        wanted = set(services)
        self.asked.append(wanted)
        if self.failure is not None:
            raise self.failure
        return [found for found in self.there if not wanted or found["metadata"]["labels"][SERVICE_NAME] in wanted]


async def test_a_pod_that_has_left_still_knows_which_services_it_left() -> None:
    source = FakeSlices(one(OWN, endpoint()), one(endpoint(), service="foreign"))
    neighbours = Neighbours(source, POD.uid)
    assert (await neighbours.look(anew=True)).taking == 1
    source.there = [one(endpoint(), endpoint("third")), one(service="foreign")]
    assert (await neighbours.look(anew=False)).taking == 2
    assert source.asked == [set(), {"ws"}]


async def test_a_pod_that_comes_back_finds_its_services_anew() -> None:
    source = FakeSlices(one(OWN, endpoint()))
    neighbours = Neighbours(source, POD.uid)
    await neighbours.look(anew=True)
    source.there = [one(OWN, endpoint(), service="new"), one(endpoint("third"))]
    await neighbours.look(anew=True)
    await neighbours.look(anew=False)
    assert source.asked[-1] == {"new"}


async def test_before_the_slices_show_a_pod_that_comes_back_they_are_those_of_before() -> None:
    source = FakeSlices(one(OWN, endpoint()))
    neighbours = Neighbours(source, POD.uid)
    await neighbours.look(anew=True)
    source.there = [one()]
    assert (await neighbours.look(anew=True)).taking == 0


async def test_a_pod_of_no_service_knows_nobody() -> None:
    assert (await Neighbours(FakeSlices(one(endpoint())), POD.uid).look(anew=True)).taking is None


@pytest.mark.parametrize("result", list(ApiResult))
async def test_what_the_api_does_not_say_is_not_known(result: ApiResult) -> None:
    source = FakeSlices(one(OWN, endpoint()))
    source.failure = failure(result)
    assert (await Neighbours(source, POD.uid).look(anew=True)).taking is None
