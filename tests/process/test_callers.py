"""Those who call: again, all at once, gone in between, with and without the token."""

from __future__ import annotations

import pytest

from tests.process.conftest import Pod
from tests.process.harness import Agent
from tests.process.kubelet import Call, post
from tests.process.waiting import UNIT, setting, until

TOKEN = "opens-sesame-4711"
WRONG = "opens-barley-4711"


def test_a_hook_that_comes_again_is_answered_at_once_with_the_same_outcome(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(2)
    agent.counts(2)
    hook = agent.hook()
    agent.drains()
    app.all_leave()
    told = hook.answer().json()
    again = agent.hook().answer()
    assert again.json() == told
    assert again.seconds < 0.2 * UNIT
    assert agent.metric('drainer_drains_total{outcome="drained"}') == 1


def test_200_callers_at_once_are_held_together_and_get_the_same_outcome(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(3)
    agent.counts(3)
    hooks = [agent.hook(method=method) for method in ("GET", "POST") for _ in range(100)]
    until(agent.status, lambda status: status["callers"]["held"] == 200)
    agent.drains()
    assert all(hook.is_held() for hook in hooks)
    app.all_leave()
    answers = [hook.answer() for hook in hooks]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].json()["outcome"] == "drained"
    assert answers[0].json()["connections_at_start"] == 3
    assert agent.metric('drainer_callers_total{trust="trusted"}') == 200
    assert len(agent.said("the drain begins")) == 1


def test_a_caller_that_hangs_up_changes_nothing(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(1)
    agent.counts(1)
    hook = agent.hook()
    agent.drains()
    deadline = agent.status()["drain"]["deadline_timestamp_seconds"]
    hook.hang_up()
    status = until(agent.status, lambda status: status["callers"]["held"] == 0)
    assert status["phase"] == "draining"
    assert agent.get("/readyz").status == 503
    joined = agent.hook()
    status = until(agent.status, lambda status: status["callers"]["held"] == 1)
    assert status["drain"]["deadline_timestamp_seconds"] == pytest.approx(deadline, abs=0.05)
    app.all_leave()
    told = joined.answer().json()
    assert (told["outcome"], told["left"]) == ("drained", 1)


def test_nobody_is_left_to_tell_and_the_drain_ends_all_the_same(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(1)
    agent.counts(1)
    hook = agent.hook()
    agent.reaches("settling")
    hook.hang_up()
    app.all_leave()
    agent.reaches("done")
    assert agent.status()["last_outcome"]["outcome"] == "drained"


def test_resume_by_hand_answers_the_held_callers_and_there_is_nothing_to_resume_then(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(1)
    agent.counts(1)
    assert agent.resume().status == 409
    hook = agent.hook()
    agent.drains()
    assert agent.status()["connections"]["serving"] == 0
    assert agent.resume().json() == {"resumed": True}
    assert hook.answer().json()["outcome"] == "resumed"
    assert agent.get("/readyz").status == 200
    assert agent.status()["connections"]["serving"] == 1
    assert agent.resume().status == 409


class WithToken:
    """An agent with a token, and one client of its app."""

    def __init__(self, pod: Pod) -> None:
        self.app = pod.bare_app()
        self.agent: Agent = pod.agent(self.app.port, token=TOKEN)
        self.app.clients(1)
        self.agent.counts(1)

    def call(self, **headers: str) -> Call:
        return self.agent.hook(headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
def guarded(pod: Pod) -> WithToken:
    return WithToken(pod)


def test_who_sends_the_token_drains_the_pod(guarded: WithToken) -> None:
    hook = guarded.call(X_Drainer_Token=TOKEN)
    guarded.agent.drains()
    guarded.app.all_leave()
    told = hook.answer().json()
    assert (told["outcome"], told["effect"]) == ("drained", True)
    assert TOKEN not in guarded.agent.stderr()


def test_without_the_token_even_loopback_is_held_without_effect(guarded: WithToken) -> None:
    agent = guarded.agent
    strangers = [
        guarded.call(),
        guarded.call(X_Drainer_Token=WRONG),
        guarded.call(X_Drainer_Token=""),
        guarded.call(X_Drainer_Token=TOKEN[:-1], Origin="https://a.example"),
    ]
    status = until(agent.status, lambda status: status["callers"]["passive"] == 4)
    assert status["phase"] == "serving"
    assert strangers[0].stays_held(0.4 * UNIT), "longer than the settle time"
    assert all(stranger.is_held() for stranger in strangers)
    assert agent.get("/readyz").status == 200
    assert agent.metric("drainer_draining") == 0
    assert post(agent.port, "/resume").status == 403
    guarded.app.all_leave()
    told = [stranger.answer().json() for stranger in strangers]
    assert [(answer["outcome"], answer["effect"]) for answer in told] == [("drained", False)] * 4
    assert agent.status()["phase"] == "serving"
    assert agent.metric('drainer_drains_total{outcome="drained"}') == 0
    assert agent.metric('drainer_callers_total{trust="stranger"}') == 5
    assert len(agent.said("a call from 127.0.0.1 that says it is a preStop hook")) == 1
    assert TOKEN[:-1] not in agent.stderr()
    assert WRONG not in agent.stderr()


def test_the_token_counts_in_a_browser_too(guarded: WithToken) -> None:
    hook = guarded.call(X_Drainer_Token=TOKEN, Origin="https://a.example")
    guarded.agent.drains()
    guarded.app.all_leave()
    assert hook.answer().json()["effect"] is True


def test_a_browser_on_loopback_has_no_effect_without_a_token(pod: Pod) -> None:
    agent = pod.agent(pod.bare_app().port)
    headers = [{header: "prefetch"} for header in ("Origin", "Sec-Fetch-Site", "Purpose", "Sec-Purpose")]
    pages = [agent.hook(headers=header) for header in headers]
    for page in pages:
        told = page.answer().json()
        assert (told["outcome"], told["effect"]) == ("drained", False)
        assert told["seconds"] >= 0.2 * UNIT, "held for the settle time"
    assert agent.status()["phase"] == "serving"
    assert [post(agent.port, "/resume", headers=header).status for header in headers] == [403] * 4


def test_a_passive_caller_has_a_deadline_of_its_own(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, token=TOKEN, grace_period=setting(2), app_reserve=setting(1))
    app.clients(1)
    agent.counts(1)
    told = agent.hook().answer().json()
    assert (told["outcome"], told["effect"], told["remaining"]) == ("deadline", False, 1)
    assert told["seconds"] == pytest.approx(UNIT, abs=0.2 * UNIT)
    assert agent.status()["phase"] == "serving"


def test_the_fifth_passive_caller_of_an_address_has_the_first_one_answered(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, token=TOKEN)
    app.clients(1)
    agent.counts(1)
    strangers = []
    for number in range(1, 5):
        strangers.append(agent.hook())
        until(lambda: agent.status()["callers"]["passive"], number.__eq__)
    strangers.append(agent.hook())
    told = strangers.pop(0).answer().json()
    assert (told["outcome"], told["effect"]) == (None, False)
    assert all(stranger.is_held() for stranger in strangers)
    app.all_leave()
    assert [stranger.answer().json()["outcome"] for stranger in strangers] == ["drained"] * 4
