"""Fixtures for tests with real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sockets.app_child import AppChild, looped
from tests.sockets.cluster import ApiServer
from tests.sockets.live import a_good_pod
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


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """A cluster with one pod, in which nothing is wrong; tests of other pods have one of their own."""
    with a_good_pod() as running:
        yield running


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> str:
    """The path of one for the server."""
    return server.kubeconfig(tmp_path)
