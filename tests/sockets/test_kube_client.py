"""The client of the Kubernetes API over real TLS: every call, every bad day, and what is said of it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from drainer.kube import bodies
from drainer.kube.bodies import State
from drainer.kube.client import MAX_PAGES, PAGE
from drainer.kube.words import ApiResult, Operation
from tests.kube_api import DROP, GARBAGE, HANG, HUGE, NAME, NAMESPACE, TOKEN, UID, KubeApi, kube_api, service_account
from tests.sockets.kube_asking import ANSWER_WITHIN, CALLS, TIME, Asking, failed, watching
from tests.sockets.site import becomes
from tests.unit.fakes import now
from tests.unit.kube.slices import one

every_call = pytest.mark.parametrize("operation", [*Operation])


@pytest.fixture
def api() -> Iterator[KubeApi]:
    with kube_api() as api:
        api.create()
        yield api


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


# ------------------------------------------------------------------------------------------------------- good days


async def test_a_pod_is_read_by_its_metadata_alone_or_whole(api: KubeApi) -> None:
    asking = Asking(api)
    metadata = await asking.client.get()
    assert metadata["metadata"]["uid"] == UID
    assert "spec" not in metadata
    whole = await asking.client.get(whole=True)
    assert whole["spec"]["terminationGracePeriodSeconds"] == 30
    assert asking.counted(Operation.GET) == {"ok": 2}
    assert asking.troubles == []


async def test_the_metrics_of_the_own_pod_are_read(api: KubeApi) -> None:
    asking = Asking(api)
    assert (await failed(asking, Operation.METRICS)).result is ApiResult.NOT_FOUND
    api.pod_metrics = {"timestamp": TIME, "containers": []}
    assert await asking.metrics() == api.pod_metrics
    assert asking.counted(Operation.METRICS) == {"ok": 1, "not_found": 1}


async def test_a_patch_sets_label_and_condition(api: KubeApi) -> None:
    asking = Asking(api)
    await asking.patch()
    assert api.pod["metadata"]["labels"]["drainer.dev/serving"] == "false"
    assert api.condition("drainer.dev/serving") == {
        "type": "drainer.dev/serving", "status": "False", "reason": "DrainStarted", "message": "It begins.",
        "lastTransitionTime": TIME,
    }  # fmt: skip
    assert asking.counted(Operation.PATCH) == {"ok": 1}


async def test_an_event_is_created(api: KubeApi) -> None:
    asking = Asking(api)
    await asking.event()
    assert [event["metadata"]["name"] for event in api.events] == [f"{NAME}.abc"]
    assert asking.counted(Operation.EVENT) == {"ok": 1}


async def test_each_request_says_who_asks_and_what_for(api: KubeApi) -> None:
    asking = Asking(api)
    for operation in (Operation.GET, Operation.PATCH, Operation.EVENT, Operation.LIST):
        await CALLS[operation](asking)
    for request in api.requests:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert request.headers["User-Agent"].startswith("drainer/")
        assert request.headers["Accept-Encoding"] == "identity"
    get, patch, event, slices = api.requests
    assert get.path == f"/api/v1/namespaces/{NAMESPACE}/pods/{NAME}"
    assert patch.path == get.path + "/status"
    assert event.path == f"/api/v1/namespaces/{NAMESPACE}/events"
    assert slices.path == f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"


async def test_slices_are_those_of_all_services_or_of_some_and_come_in_pages(api: KubeApi) -> None:
    asking = Asking(api)
    api.slices = [one(service=f"ws-{number % 2}") for number in range(2 * PAGE + 1)]
    assert await asking.client.slices() == api.slices
    assert [request.query.get("continue") for request in api.requests] == [None, str(PAGE), str(2 * PAGE)]
    assert await asking.client.slices(["ws-1"]) == api.slices[1::2]
    assert await asking.client.slices(["ws-1", "none", "ws-0"]) == api.slices
    assert asking.counted(Operation.LIST) == {"ok": 7}


async def test_more_slices_than_anyone_should_read_are_an_error(api: KubeApi) -> None:
    asking = Asking(api)
    api.slices = [one()] * (PAGE * MAX_PAGES + 1)
    error = await failed(asking, Operation.LIST)
    assert (error.result, error.detail) == (ApiResult.ODD, "more than 500 EndpointSlices")
    assert len(api.requests) == MAX_PAGES
    assert len(asking.troubles) == 1


async def test_a_deletion_cost_is_the_agents_own_by_its_name_as_a_client(api: KubeApi) -> None:
    asking = Asking(api)
    await asking.client.patch(bodies.patch(asking.pod, State(), State(cost="64"), TIME))
    pod = await asking.client.get()
    assert (bodies.cost(pod), bodies.is_own_cost(pod)) == ("64", True)


async def test_a_watch_tells_each_change_of_the_own_pod(api: KubeApi) -> None:
    asking = Asking(api, answer_within=ANSWER_WITHIN)
    async with watching(asking) as seen:
        await becomes(lambda: api.watchers == 1)
        api.delete(grace=60)
        await becomes(lambda: len(seen) == 1)
        # A watch may be silent for longer than any answer may take.
        await asyncio.sleep(2 * ANSWER_WITHIN)
        api.delete(grace=10)
        await becomes(lambda: len(seen) == 2)
        api.remove()
        await becomes(lambda: len(seen) == 3)
    assert [kind for kind, _ in seen] == ["MODIFIED", "MODIFIED", "DELETED"]
    assert [pod["metadata"]["deletionGracePeriodSeconds"] for _, pod in seen] == [60, 10, 10]
    (request,) = api.asked("watch")
    assert request.query == {
        "watch": "true", "fieldSelector": f"metadata.name={NAME}", "resourceVersion": "101", "timeoutSeconds": "3600"
    }  # fmt: skip
    assert "PartialObjectMetadata" in request.headers["Accept"]
    await becomes(lambda: api.watchers == 0)
    assert asking.troubles == []


async def test_a_watch_from_too_long_ago_is_expired_and_that_is_no_trouble(api: KubeApi) -> None:
    asking = Asking(api)
    api.compact()
    async with watching(asking, "1") as seen:
        await becomes(lambda: bool(seen))
    assert [kind for kind, _ in seen] == [ApiResult.EXPIRED]
    assert asking.counted(Operation.WATCH) == {"ok": 1, "expired": 1}
    assert asking.troubles == []


async def test_a_stream_that_dies_in_the_middle_of_a_line_is_unreachable(api: KubeApi) -> None:
    asking = Asking(api)
    async with watching(asking) as seen:
        await becomes(lambda: api.watchers == 1)
        api.break_watches()
        await becomes(lambda: bool(seen))
    assert [kind for kind, _ in seen] == [ApiResult.UNREACHABLE]
    (trouble,) = asking.troubles
    assert trouble.startswith("the Kubernetes API, watch: unreachable (")
    assert trouble.endswith("; no drain depends on it")


async def test_at_rest_there_is_no_connection(api: KubeApi) -> None:
    asking = Asking(api)
    before = open_files()
    for operation in (Operation.GET, Operation.PATCH, Operation.EVENT):
        await CALLS[operation](asking)
    # The server runs in this process too: both ends are gone.
    await becomes(lambda: open_files() <= before)


# -------------------------------------------------------------------------------------------------------- bad days

STATUSES = {
    401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 410: "expired", 422: "invalid",
    429: "throttled",
    400: "odd", 415: "odd", 500: "failed", 503: "failed", 504: "failed",
}  # fmt: skip


@every_call
@pytest.mark.parametrize(("status", "result"), STATUSES.items())
async def test_every_status_is_an_error_with_its_word(
    api: KubeApi, operation: Operation, status: int, result: str
) -> None:
    api.bad_days[operation] = status
    asking = Asking(api)
    error = await failed(asking, operation)
    assert (error.result, error.detail) == (result, "a bad day")
    assert asking.counted(operation) == {result: 1}
    told = [f"the Kubernetes API, {operation}: {result} (a bad day); no drain depends on it"]
    assert asking.troubles == (told if status != 410 else [])


@every_call
@pytest.mark.parametrize(("bad_day", "result"), [(HANG, "timeout"), (DROP, "unreachable"), (HUGE, "odd")])
async def test_a_server_that_does_not_answer_as_it_should_is_an_error_in_good_time(
    api: KubeApi, operation: Operation, bad_day: str, result: str
) -> None:
    api.bad_days[operation] = bad_day
    asking = Asking(api, answer_within=ANSWER_WITHIN if bad_day == HANG else 20.0)
    began, before = now(), open_files()
    error = await failed(asking, operation)
    assert error.result == result
    assert now() - began < 10
    (trouble,) = asking.troubles
    assert trouble.startswith(f"the Kubernetes API, {operation}: {result} (")
    api.bad_days.clear()
    await becomes(lambda: open_files() <= before)


@pytest.mark.parametrize("operation", [Operation.GET, Operation.WATCH])
async def test_what_is_no_json_cannot_be_read(api: KubeApi, operation: Operation) -> None:
    api.bad_days[operation] = GARBAGE
    asking = Asking(api)
    assert (await failed(asking, operation)).result is ApiResult.ODD


@pytest.mark.parametrize("turns", range(8))
async def test_a_request_given_up_as_its_handshake_ends_leaves_no_connection(tmp_path: Path, turns: int) -> None:
    """Whichever turn of the event loop it is: TLS is not shut down with a server that says nothing any more."""
    loop, tls, before = asyncio.get_running_loop(), service_account(tmp_path), open_files()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        asking = asyncio.create_task(Asking(KubeApi(tmp_path, listener.getsockname()[1])).get())
        connection, _ = await loop.sock_accept(listener)
    with connection:
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        received.write(await loop.sock_recv(connection, 65536))
        with pytest.raises(ssl.SSLWantReadError):
            tls.wrap_bio(received, sent, server_side=True).do_handshake()
        asking.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        connection.sendall(sent.read())
        await asyncio.wait([asking])
        assert asking.cancelled()
        await becomes(lambda: open_files() <= before + 1)
