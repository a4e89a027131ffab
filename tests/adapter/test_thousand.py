"""A thousand pods, of which a third hang, answer garbage, 10 MB or nothing."""

from __future__ import annotations

import pytest

from tests.adapter.agents import DROP, GARBAGE, HANG, HUGE, MISSING, Agents, addresses, agents
from tests.adapter.cluster import FakeCluster
from tests.adapter.harness import Pki, running
from tests.adapter.objects import pod
from tests.process.waiting import until

PODS = 1000
BAD = (HANG, GARBAGE, HUGE, DROP, MISSING)
FRESH = "drainer_adapter_pods_fresh"


def a_round_goes_by(fleet: Agents) -> None:
    """As many questions as there are pods."""
    more = fleet.asked.total() + PODS
    until(fleet.asked.total, lambda asked: asked > more, 60)


@pytest.mark.timeout(180)
def test_of_a_thousand_pods_those_that_answer_are_seen_whatever_the_others_do(cluster: FakeCluster, pki: Pki) -> None:
    where = addresses(PODS)
    with agents(where) as fleet:
        good = {}
        hanging, answering = where[:: 3 * len(BAD)], where[1::3]
        for number, address in enumerate(where):
            if number % 3:
                fleet.says[address] = good[f"ws-{number}"] = number
            else:
                fleet.says[address] = BAD[number // 3 % len(BAD)]
            cluster.put_pod(pod(f"ws-{number}", fleet.port, address=address))
        with running(cluster, pki) as adapter:
            until(lambda: adapter.metric(FRESH), lambda fresh: fresh == len(good), 90)
            adapter.await_ready()
            for _ in range(3):
                a_round_goes_by(fleet)
                values = adapter.values()
                assert set(values) == set(good)
                assert values["ws-1"] == "1"
            # Those that hang do not take the places of the good ones, and are left alone more and more.
            assert fleet.most_together <= 128
            assert max(fleet.asked[one] for one in hanging) <= min(fleet.asked[one] for one in answering) + 1
