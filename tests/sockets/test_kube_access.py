"""What opens the Kubernetes API, how it changes on disk, and what the client makes of odd answers and of a no."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from drainer.kube.access import Access
from drainer.kube.words import ApiResult, Operation
from tests.kube_api import GARBAGE, TOKEN, UID, KubeApi, kube_api
from tests.sockets.kube_asking import Asking, failed, watching
from tests.sockets.site import becomes


@pytest.fixture
def api() -> Iterator[KubeApi]:
    with kube_api() as api:
        api.create()
        yield api


def rewrite(path: Path, text: str) -> None:
    """As the kubelet does: another file in its place, and another time of change."""
    before = path.stat().st_mtime_ns
    path.with_suffix(".new").write_text(text)
    os.utime(path.with_suffix(".new"), ns=(before + 1, before + 1))
    path.with_suffix(".new").replace(path)


# ---------------------------------------------------------------------------------------------- token and authority


async def test_a_token_that_is_renewed_on_disk_is_used_at_once(api: KubeApi) -> None:
    asking = Asking(api)
    await asking.get()
    api.tokens = {"another"}
    assert (await failed(asking, Operation.GET)).result is ApiResult.UNAUTHORIZED
    rewrite(api.folder / "token", "another\n")
    await asking.get()
    assert [request.headers["Authorization"] for request in api.requests] == [
        f"Bearer {TOKEN}", f"Bearer {TOKEN}", "Bearer another"
    ]  # fmt: skip


@pytest.mark.parametrize("operation", [*Operation])
async def test_without_a_token_nothing_is_asked(api: KubeApi, operation: Operation) -> None:
    (api.folder / "token").unlink()
    asking = Asking(api)
    assert (await failed(asking, operation)).result is ApiResult.UNAUTHORIZED
    assert api.requests == []
    assert "token" in asking.troubles[0]
    assert TOKEN not in asking.troubles[0]


async def test_a_token_that_is_no_text_is_odd(api: KubeApi) -> None:
    (api.folder / "token").write_bytes(b"\xff\xfe")
    assert (await failed(Asking(api), Operation.GET)).result is ApiResult.ODD
    assert api.requests == []


async def test_a_server_of_another_authority_is_not_spoken_to(api: KubeApi, tmp_path: Path) -> None:
    shutil.copy(api.folder / "token", tmp_path)
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.crt")
    asking = Asking(api, folder=tmp_path)
    assert (await failed(asking, Operation.GET)).result is ApiResult.UNREACHABLE
    assert api.requests == []
    assert "CERTIFICATE_VERIFY_FAILED" in asking.troubles[0]


async def test_an_authority_that_changes_on_disk_is_read_again(api: KubeApi) -> None:
    path = api.folder / "ca.crt"
    right = path.read_text()
    asking = Asking(api)
    await asking.get()
    rewrite(path, trustme.CA().cert_pem.bytes().decode())
    assert (await failed(asking, Operation.GET)).result is ApiResult.UNREACHABLE
    rewrite(path, right)
    await asking.get()


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_without_an_authority_nobody_is_trusted(api: KubeApi, text: str | None) -> None:
    path = api.folder / "ca.crt"
    path.unlink()
    if text is not None:
        path.write_text(text)
    error = await failed(Asking(api), Operation.GET)
    assert error.result in (ApiResult.UNAUTHORIZED, ApiResult.UNREACHABLE)
    assert api.requests == []


async def test_a_server_that_is_not_there_is_unreachable(api: KubeApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        api.port = taken.getsockname()[1]
    assert (await failed(Asking(api), Operation.GET)).result is ApiResult.UNREACHABLE


async def test_the_server_may_have_a_name(api: KubeApi) -> None:
    assert (await Asking(api, host="localhost").get())["metadata"]["uid"] == UID


@pytest.mark.parametrize(
    ("host", "url"),
    [("10.96.0.1", "https://10.96.0.1:443/x"), ("fd00::1", "https://[fd00::1]:443/x"), ("api", "https://api:443/x")],
)
def test_an_address_of_ipv6_has_its_brackets(host: str, url: str, tmp_path: Path) -> None:
    assert Access((host, 443), tmp_path).url("/x") == url


# ------------------------------------------------------------------------------------------------------ odd answers


@pytest.mark.parametrize("excuse", ["", "<html>", "[" * 200_000, '{"message": ["odd"]}', "\u0000"])
async def test_the_status_alone_says_what_a_failure_is(api: KubeApi, excuse: str) -> None:
    api.bad_days["get"], api.excuse = 403, excuse
    assert (await failed(Asking(api), Operation.GET)).result is ApiResult.FORBIDDEN


@pytest.mark.parametrize(
    ("line", "result"),
    [
        (b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}', "expired"),
        (b'{"type": "ERROR", "object": {"code": 500}}', "failed"),
        (b'{"type": "ERROR", "object": {"code": 200}}', "odd"),
        (b'{"type": "ERROR", "object": {"code": "410"}}', "odd"),
        (b'{"type": "ERROR", "object": {"code": [410]}}', "odd"),
        (b'{"type": "ERROR", "object": {}}', "odd"),
        (b'{"type": "ERROR"}', "odd"),
        (b'{"type": 7, "object": {}}', "odd"),
        (b'{"type": "MODIFIED", "object": []}', "odd"),
        (b"[]", "odd"),
        (b"[" * 200_000, "odd"),
        (b"\xff", "odd"),
    ],
)
async def test_a_stream_that_says_odd_things_ends(api: KubeApi, line: bytes, result: str) -> None:
    api.stream = line + b"\n"
    assert (await failed(Asking(api), Operation.WATCH)).result == result


# ------------------------------------------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("", 0.0), ("soon", 0.0), ("-1", 0.0), ("Wed, 25 Nov 2026 10:00:00 GMT", 0.0)]
)
async def test_the_api_may_say_when_to_come_again(api: KubeApi, header: str, seconds: float) -> None:
    api.bad_days["get"], api.retry_after = 429, header
    assert (await failed(Asking(api), Operation.GET)).retry_after == seconds


async def test_a_trouble_is_told_once_until_it_works_again(api: KubeApi) -> None:
    asking = Asking(api)
    for status in (500, 500, 503, 429, 500):
        api.bad_days["get"] = status
        await failed(asking, Operation.GET)
    assert [trouble.split(" (")[0] for trouble in asking.troubles] == [
        "the Kubernetes API, get: failed", "the Kubernetes API, get: throttled"
    ]  # fmt: skip
    api.bad_days.clear()
    await asking.event()
    api.bad_days["get"] = 500
    await failed(asking, Operation.GET)
    assert len(asking.troubles) == 2, "that something else works says nothing of this"
    api.bad_days.clear()
    await asking.get()
    api.bad_days["get"] = 500
    await failed(asking, Operation.GET)
    assert len(asking.troubles) == 3
    assert asking.counted(Operation.GET) == {"ok": 1, "failed": 6, "throttled": 1}


@pytest.mark.parametrize("operation", [Operation.GET, Operation.WATCH])
async def test_an_answer_that_cannot_be_read_is_told_once_although_its_status_is_good(
    api: KubeApi, operation: Operation
) -> None:
    api.bad_days[operation] = GARBAGE
    asking = Asking(api)
    for _ in range(3):
        await failed(asking, operation)
    assert len(asking.troubles) == 1


async def test_a_stream_that_breaks_is_told_again_only_when_it_has_worked(api: KubeApi) -> None:
    asking = Asking(api)
    for changes, told in ((0, 1), (0, 1), (1, 2)):
        async with watching(asking) as seen:
            await becomes(lambda: api.watchers == 1)
            for number in range(changes):
                api.change(annotations={"number": str(number)})
                await becomes(lambda: bool(seen))
            api.break_watches()
            await becomes(lambda: bool(seen) and seen[-1][0] == "unreachable")
        assert len(asking.troubles) == told


async def test_what_is_forbidden_is_not_asked_again_and_the_rest_is(api: KubeApi) -> None:
    api.bad_days["patch"] = 403
    asking = Asking(api)
    for _ in range(3):
        assert (await failed(asking, Operation.PATCH)).result is ApiResult.FORBIDDEN
    await asking.get()
    assert [request.operation for request in api.requests] == ["patch", "get"]
    assert asking.counted(Operation.PATCH) == {"forbidden": 1}
    assert len(asking.troubles) == 1
