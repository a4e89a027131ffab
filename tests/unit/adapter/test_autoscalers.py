"""Which HPAs wait to scale down, and what they scale."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.adapter.autoscalers import Autoscalers, Target, waiting
from tests.adapter.objects import autoscaler

DEPLOYMENT = Target("chat", "ws", "apps", "Deployment", "ws")


@pytest.mark.parametrize(
    ("condition", "is_waiting"),
    [
        (("AbleToScale", "ScaleDownStabilized"), True),
        (("ScalingLimited", "ScaleDownLimit"), True),
        (("AbleToScale", "ScaleUpStabilized"), False),
        (("AbleToScale", "ReadyForNewScale"), False),
        (("AbleToScale", "SucceededRescale"), False),
        (("ScalingLimited", "TooFewReplicas"), False),
        (("ScalingActive", "ScaleDownStabilized"), False),
    ],
)
def test_it_waits_for_its_window_or_for_the_next_period_of_a_policy(
    condition: tuple[str, str], *, is_waiting: bool
) -> None:
    assert waiting(autoscaler(condition=condition)) == (DEPLOYMENT if is_waiting else None)


def test_a_condition_that_is_not_true_says_nothing() -> None:
    item = autoscaler()
    item["status"]["conditions"][0]["status"] = "False"

    assert waiting(item) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}},
        {"target": {"kind": "StatefulSet"}},
        {"target": {"name": ""}},
    ],
)
def test_who_will_never_scale_down_or_scales_what_looks_at_no_cost(changes: dict[str, Any]) -> None:
    assert waiting(autoscaler(**changes)) is None


@pytest.mark.parametrize(
    ("version", "group"),
    [("apps/v1", "apps"), ("argoproj.io/v1alpha1", "argoproj.io"), ("v1", ""), (None, "")],
)
def test_the_group_of_what_is_scaled(version: str | None, group: str) -> None:
    found = waiting(autoscaler(target={"apiVersion": version}))

    assert found is not None
    assert found.group == group
    assert str(found) == "Deployment chat/ws"


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_what_is_no_hpa_does_not_wait(odd: Any) -> None:
    assert waiting(odd) is None
    for part in ("metadata", "spec", "status"):
        assert waiting(autoscaler() | {part: odd}) is None


def test_they_come_and_go() -> None:
    known = Autoscalers()
    known.replace([DEPLOYMENT, None])
    assert known.waiting == [DEPLOYMENT]
    other = Target("chat", "feed", "apps", "Deployment", "feed")
    known.put({"namespace": "chat", "name": "feed"}, other)
    assert known.waiting == [DEPLOYMENT, other]
    known.put({"namespace": "chat", "name": "ws"}, None)
    known.put({"namespace": "chat", "name": "nobody"}, None)
    assert known.waiting == [other]
    known.replace([])
    assert known.waiting == []
