"""What EndpointSlices say of the other pods, whatever is in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.cap import View
from drainer.kube.slices import items, more, services_of, view
from tests.unit.kube.pods import POD
from tests.unit.kube.slices import OTHER, OWN, endpoint, one


def taking(*slices: dict[str, Any], services: tuple[str, ...] = ("ws",)) -> int | None:
    return view(slices, POD.uid, services).taking


@pytest.mark.parametrize(
    ("slices", "count"),
    [
        ([one(OWN)], 0),
        ([one(OWN, endpoint())], 1),
        ([one(endpoint())], 1),
        ([one()], 0),
        ([one(OWN, endpoint(ready=None))], 1),
        ([one(OWN, endpoint(ready=False))], 0),
        ([one(OWN), one(endpoint(), endpoint("third"))], 2),
        ([one(OWN, endpoint()), one(OWN, endpoint())], 1),
        ([one(OWN, endpoint(None))], 1),
        ([one(OWN, endpoint()), one(OWN, service="foreign")], 1),
        ([], None),
        ([one(endpoint(), service="foreign")], None),
    ],
    ids=[
        "alone", "another", "this pod has left", "all have left", "ready is not said", "not ready or terminating",
        "in another slice", "of two families", "no pod", "of another Service", "no slices", "only of another Service",
    ],
)  # fmt: skip
def test_who_takes_beside_this_pod(slices: list[dict[str, Any]], count: int | None) -> None:
    assert taking(*slices) == count


def test_of_two_services_the_one_with_fewer_counts() -> None:
    slices = [one(OWN, endpoint(), endpoint("third")), one(OWN, service="own")]
    assert taking(*slices, services=("ws", "own")) == 0
    assert taking(*slices, one(endpoint(), service="own"), services=("ws", "own")) == 1


def test_a_service_that_is_gone_keeps_nobody() -> None:
    assert taking(one(OWN, endpoint()), services=("ws", "gone")) == 1


def test_the_services_of_a_pod_are_those_that_have_it_as_an_endpoint() -> None:
    slices = [one(OWN), one(endpoint(POD.uid, ready=False), service="b"), one(endpoint(), service="c")]
    assert services_of(slices, POD.uid) == {"ws", "b"}


@given(st.sets(st.text("0123456789abcdef", min_size=4, max_size=4), min_size=1, max_size=20))
def test_all_pods_agree_on_their_turns_and_the_last_one_is_clearly_later(uids: set[str]) -> None:
    slices = [one(*(endpoint(uid) for uid in uids))]
    turns = [view(slices, uid, {"ws"}).turn for uid in sorted(uids)]
    assert turns == sorted(set(turns))
    assert turns[-1] == 1.0
    assert all(0 <= turn < 0.5 for turn in turns[:-1])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["items", "metadata", "labels", "endpoints", "conditions", "ready", "targetRef", "uid", "continue"]
            ),
            children,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["items", "metadata", "endpoints"]), JSON))
def test_whatever_is_in_an_answer_it_is_read(page: dict[str, Any]) -> None:
    found = items(page)
    assert isinstance(more(page), str)
    assert isinstance(view([*found, page], OTHER, services_of(found, OTHER)), View)


def test_an_answer_says_how_it_goes_on() -> None:
    assert more({"metadata": {"continue": "token"}}) == "token"
    assert more({"metadata": {}}) == more({}) == ""
