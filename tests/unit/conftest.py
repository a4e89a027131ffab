"""Hypothesis within the time of unit tests; a busy machine is no failure."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The parent is what Hypothesis chose by itself: in CI the examples are the same each time.
settings.register_profile(
    "unit",
    settings.get_profile(settings.get_current_profile_name()),
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")
