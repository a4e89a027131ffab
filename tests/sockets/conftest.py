"""Fixtures for tests with real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sockets.loopback import Loopback, loopback


@pytest.fixture
def net() -> Iterator[Loopback]:
    with loopback() as made:
        yield made
