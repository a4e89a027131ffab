from __future__ import annotations

import json
from typing import Any

import pytest

from drainer.commands.advise.advice import Advice, Wish, advise
from drainer.cost import Costs, Reading
from drainer.errors import AdviceError
from drainer.vitals import Vitals

KIB, MIB = 2**10, 2**20


def fit(slope: float, error: float = 0.0, base: float = 0.0, **more: Any) -> dict[str, Any]:
    return {
        "slope": slope, "standard_error": error, "base": base, "r_squared": 0.97, "samples": 200.0,
        "connections": {"least": 10, "most": 1000},
    } | more  # fmt: skip


def status(memory: Any, cpu: Any = None, missing: str | None = None) -> dict[str, Any]:
    return {"usage": {"missing": missing, "per_connection": {"memory": memory, "cpu": cpu}}}


MEMORY = fit(30 * KIB, 1 * KIB, 50 * MIB)
CPU = fit(0.0004, 0.00001, 0.05)


def refused(status: Any, wish: Wish | None = None) -> str:
    with pytest.raises(AdviceError) as caught:
        advise(status, wish or Wish())
    return str(caught.value)


def test_the_numbers_are_the_lines_with_two_standard_errors_and_the_headroom() -> None:
    advice = advise(status(MEMORY, CPU), Wish(0.25, connections=2000))
    # 50 MiB + 2000 x 32 KiB = 112.5 MiB; and a quarter more.
    assert (advice.max_connections, advice.memory_request, advice.memory_limit) == (2000, 113, 141)
    assert advice.target == 1600
    # 50 m + 2000 x 0.42 m.
    assert advice.cpu_request == 890


def test_each_number_comes_with_its_arithmetic_and_how_sure_it_is() -> None:
    text = advise(status(MEMORY, CPU), Wish(0.25, connections=2000)).as_text()
    for words in (
        "max_connections  2000\n",
        "HPA target       1600 (averageValue of connections)\n",
        "requests         cpu 890m, memory 113Mi\n",
        "limits           memory 141Mi\n",
        "A connection takes 30.0 KiB +- 1.0 KiB of memory (200 independent samples, 10 to 1000 connections, r2 0.97); ",
        "); 32.0 KiB are reckoned with, 2 standard errors more.",
        "max_connections: 2000, as wished.",
        "requests.memory: 50.0 MiB without connections + 2000 x 32.0 KiB = 112.5 MiB.",
        "limits.memory: 25 % above that = 140.6 MiB.",
        "requests.cpu: 50m without connections + 2000 x 420.0 millionths of a core (200 independent samples",
        "HPA target: a pod at the target can take 25 % more before it is full: 2000 / 1.25 = 1600.",
        "2000 connections are 2.0 times the 1000 that were seen.",
        "Whether the app leaks",
        "How busy clients will be",
    ):
        assert words in text


def test_without_a_wish_it_is_for_the_most_that_were_seen() -> None:
    advice = advise(status(MEMORY), Wish())
    assert advice.max_connections == 1000
    assert "1000 were seen at the most; none was wished" in advice.because[1]
    assert not any("Whether the line goes on" in sentence for sentence in advice.unknown)


def test_a_limit_says_how_many_connections_fit_beside_the_headroom() -> None:
    advice = advise(status(MEMORY), Wish(0.25, memory=125 * MIB))
    # 125 MiB / 1.25 - 50 MiB = 50 MiB, of 32 KiB each.
    assert advice.max_connections == 1600
    assert advice.memory_limit == 125
    assert advise(status(MEMORY), Wish(0.0, memory=125 * MIB)).max_connections == 2400


def test_cpu_that_is_not_known_is_left_out_and_the_rest_is_said() -> None:
    for cpu in (None, fit(0.0001, 0.0001), fit(-0.1), fit(0.1, samples=3.0)):
        advice = advise(status(MEMORY, cpu), Wish())
        assert advice.cpu_request is None
        assert advice.as_json()["requests"] == {"memory": "82Mi"}
        assert "requests         memory 82Mi\n" in advice.as_text()
        assert any(sentence.startswith("requests.cpu: not known") for sentence in advice.because)


def test_a_base_below_zero_is_none() -> None:
    advice = advise(status(fit(30 * KIB, 0, -5 * MIB), fit(0.001, 0, -0.1)), Wish(connections=1024))
    assert (advice.memory_request, advice.cpu_request) == (30, 1024)


def test_programs_read_the_same() -> None:
    advice = advise(status(MEMORY, CPU), Wish(0.25, connections=2000))
    shown = json.loads(json.dumps(advice.as_json(), allow_nan=False))
    assert shown == {
        "max_connections": 2000, "hpa_target": 1600, "requests": {"cpu": "890m", "memory": "113Mi"},
        "limits": {"memory": "141Mi"}, "because": list(advice.because), "unknown": list(advice.unknown),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "the agent does not know what the app takes: DRAINER_USAGE=auto"),
        ({"usage": None}, "the agent does not know what the app takes: DRAINER_USAGE=auto"),
        (status(None), "too little is known: the number of connections has not varied yet, or the agent has"),
        (status(None, missing="shareProcessNamespace is not true"),
         "the app's memory cannot be seen: shareProcessNamespace is not true"),
        (status(fit(30_000, samples=9.4)), "too little is known: 9.4 independent samples, and 10 are the least"),
        (status(fit(30 * KIB, 8 * KIB)), "memory does not follow the connections: 30.0 KiB +- 8.0 KiB each"),
        (status(fit(-1.0)), "memory does not follow the connections"),
        (status(fit(0.0)), "memory does not follow the connections"),
    ],
    ids=range(8),
)  # fmt: skip
def test_where_the_data_is_too_thin_it_says_why_and_nothing_else(answer: Any, said: str) -> None:
    assert refused(answer).startswith(said)


@pytest.mark.parametrize(
    "usage",
    [
        5, "x", [], {}, {"per_connection": None, "missing": None}, {"per_connection": {"memory": MEMORY, "cpu": None}},
        {"per_connection": {"memory": 5, "cpu": None}, "missing": None},
        {"per_connection": {"memory": MEMORY | {"slope": "much"}, "cpu": None}, "missing": None},
        {"per_connection": {"memory": MEMORY | {"slope": float("nan")}, "cpu": None}, "missing": None},
        {"per_connection": {"memory": MEMORY | {"connections": 5}, "cpu": None}, "missing": None},
    ],
    ids=range(10),
)  # fmt: skip
def test_an_answer_of_another_kind_is_no_traceback(usage: Any) -> None:
    assert refused({"usage": usage}) == "the agent's /status cannot be read: it has another version"


def test_a_straight_line_is_not_followed_for_ever() -> None:
    assert isinstance(advise(status(MEMORY), Wish(connections=10_000)), Advice)
    assert refused(status(MEMORY), Wish(connections=10_001)).startswith(
        "10001 connections are 10 times the 1000 that were seen at most; a straight line"
    )


def test_a_limit_without_room_for_one_connection_is_said() -> None:
    assert refused(status(MEMORY), Wish(0.25, memory=60 * MIB)) == (
        "a limit of 60.0 MiB leaves no room for a connection: the app takes 50.0 MiB without any"
    )


def test_what_an_agent_shows_is_what_it_reads() -> None:
    costs, spent = Costs(60), 0.0
    for index in range(400):
        connections = 50 + index * 37 % 500
        spent += 15 * (0.05 + 0.0004 * connections)
        costs.add("processes", Reading(index * 15.0, round(50 * MIB + 30 * KIB * connections), spent), connections)
    shown = json.loads(json.dumps(Vitals(usage=costs.usage).as_json(6000.0)))
    advice = advise(shown, Wish(connections=1000))
    assert advice.memory_request == 80  # 50 MiB + 1000 x 30 KiB = 79.3 MiB
    assert "399 independent samples, 50 to 549 connections, r2 1.00" in advice.because[0]
