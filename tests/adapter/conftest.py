"""Fixtures: certificates once, a cluster and agents for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapter.agents import Agents, addresses, agents
from tests.adapter.cluster import CONFIG_MAP, CUSTOM, FakeCluster, fake_cluster
from tests.adapter.harness import Pki, Running, config_map, running
from tests.adapter.objects import apiservice


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.made(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def cluster(pki: Pki) -> Iterator[FakeCluster]:
    """With an APIService that points here, and no pods."""
    with fake_cluster() as made:
        made.put(CONFIG_MAP, config_map(pki))
        made.put(CUSTOM, apiservice(CUSTOM))
        yield made


@pytest.fixture
def fleet() -> Iterator[Agents]:
    with agents(addresses(8)) as made:
        yield made


@pytest.fixture
def adapter(cluster: FakeCluster, pki: Pki) -> Iterator[Running]:
    with running(cluster, pki) as made:
        made.await_ready()
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
