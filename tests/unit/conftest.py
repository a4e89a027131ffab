"""Hypothesis within the time of unit tests; a busy machine is no failure. And drains once more with a limit on."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from drainer.cap import Signal
from drainer.limiter import Limiter
from tests.unit.fakes import Usual
from tests.unit.limits import FakeNeighbours, plan

# The parent is what Hypothesis chose by itself: in CI the examples are the same each time.
settings.register_profile(
    "unit",
    settings.get_profile(settings.get_current_profile_name()),
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The agent's drains, without a limit and with one that the first client reaches, and that asks for others."""
    name = metafunc.module.__name__.rpartition(".")[2]
    if name.startswith("test_agent") and name != "test_agent_limits":
        metafunc.parametrize("limit_of_agents", [None, 1], ids=["", "limited"], indirect=True)


@pytest.fixture(autouse=True)
def limit_of_agents(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    most: int | None = getattr(request, "param", None)
    if most is not None:

        def limits() -> Limiter:
            return Limiter(plan(most, most, 0.001, Signal.LABEL, never_last=True), FakeNeighbours(), lambda: 0.5)

        monkeypatch.setattr(Usual, "limits", staticmethod(limits))
