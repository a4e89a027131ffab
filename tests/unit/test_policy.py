from __future__ import annotations

import pytest

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
