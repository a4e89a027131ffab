from __future__ import annotations

import pytest

from drainer.deletion import Deletion
from drainer.phases import Phase
from drainer.policy import Readiness


@pytest.mark.parametrize(
    ("readiness", "ready_in"),
    [
        (Readiness.AUTO, {Phase.SERVING}),
        (Readiness.NOW, {Phase.SERVING}),
        (Readiness.AFTER, {Phase.SERVING, Phase.SETTLING}),
        (Readiness.NEVER, set(Phase)),
    ],
)
def test_the_pod_is_ready_in_the_phases_that_were_chosen(readiness: Readiness, ready_in: set[Phase]) -> None:
    assert {phase for phase in Phase if readiness.is_ready(phase)} == ready_in


READY_WHILE_SETTLING = {Deletion.ASKED, Deletion.REQUESTED, Deletion.FORCED}


@pytest.mark.parametrize("deletion", list(Deletion))
def test_auto_waits_for_the_settle_time_if_the_pod_goes_or_may_go(deletion: Deletion) -> None:
    ready = {phase for phase in Phase if Readiness.AUTO.is_ready(phase, deletion)}
    assert ready == {Phase.SERVING} | ({Phase.SETTLING} if deletion in READY_WHILE_SETTLING else set())


@pytest.mark.parametrize("readiness", [Readiness.NOW, Readiness.AFTER, Readiness.NEVER])
def test_what_was_chosen_holds_whatever_the_api_says(readiness: Readiness) -> None:
    for phase in Phase:
        assert {readiness.is_ready(phase, deletion) for deletion in Deletion} == {readiness.is_ready(phase)}
