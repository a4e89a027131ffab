"""The door by itself: faults that nobody should be able to make."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from drainer.adapter.certificates import Pair, bundle, issued, turned
from drainer.adapter.fleet import Fleet
from drainer.adapter.front import Front, tls_context
from drainer.adapter.identity import front_proxy
from drainer.adapter.questions import CUSTOM
from drainer.web import listen
from tests.adapter.cluster import FakeCluster
from tests.adapter.harness import HOST, POD_METRICS, Pki, Running, config_map


class Broken:
    """An authorizer with a bug."""

    async def check(self, *_: Any) -> None:
        raise LookupError("a bug")


def certificate() -> tuple[Pair, str]:
    now = dt.datetime.now(dt.UTC)
    (authority,) = turned([], now, "x")
    return issued(authority, [HOST], now), bundle([authority])


async def test_a_bug_is_told_and_opens_nothing(pki: Pki) -> None:
    errors: list[tuple[str, Exception]] = []
    listener = listen("127.0.0.1", 0)
    front = Front(listener, Fleet(), Broken(), [CUSTOM], lambda *error: errors.append(error))  # type: ignore[arg-type]
    pair, trusted = certificate()
    await front.show(pair)
    assert not front.serves
    unready = await front._handle(make_mocked_request("GET", "/apis"))
    assert unready.status == 503
    await front.trust(front_proxy(config_map(pki)))
    try:
        port = listener.getsockname()[1]
        asking = Running(list, port, 0, FakeCluster(), pki)
        answer = await asyncio.to_thread(asking.ask, f"{POD_METRICS}/connections", trusted=trusted)
    finally:
        await front.stop()

    assert (answer.status, answer.body["reason"]) == (500, "InternalError")
    assert "a bug" not in str(answer.body)
    assert [(path, type(error)) for path, error in errors] == [
        ("/apis/custom.metrics.k8s.io/v1beta2/namespaces/chat/pods/*/connections", LookupError)
    ]


@pytest.mark.parametrize("authority", ["é", "", "no certificate"])
def test_an_authority_that_is_none_is_refused(authority: str) -> None:
    with pytest.raises(ssl.SSLError):
        tls_context(certificate()[0], authority)


def test_a_key_that_does_not_belong_to_it_is_refused(pki: Pki) -> None:
    one, other = certificate()[0], certificate()[0]
    with pytest.raises(ssl.SSLError):
        tls_context(Pair(one.chain, other.key, one.renew_at, one.expires_at), pki.text("front-proxy-ca.crt"))
