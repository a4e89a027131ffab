"""Fixtures for tests with real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sockets.app_child import AppChild, looped
from tests.sockets.loopback import Loopback, loopback


@pytest.fixture
def net() -> Iterator[Loopback]:
    with loopback() as made:
        yield made


@pytest.fixture
def app() -> Iterator[AppChild]:
    """An app whose loop the test drives."""
    child = looped()
    try:
        yield child
    finally:
        child.close()
