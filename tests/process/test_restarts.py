"""A hook is not a deletion: the app may be back, and then the pod serves again."""

from __future__ import annotations

from tests.process.conftest import Pod
from tests.process.waiting import UNIT, setting


def test_an_app_that_is_restarted_while_draining_ends_the_drain_as_resumed(pod: Pod) -> None:
    port = pod.reserve()
    app = pod.web_app(reserved=port)
    agent = pod.agent(app.port, settle=setting(15))
    pod.clients(app, 2)
    agent.counts(2)
    hooks = [agent.hook(), agent.hook()]
    agent.reaches("settling")
    assert agent.get("/readyz").status == 503
    agent.looks_again()
    app.kill()
    agent.counts(0)
    assert hooks[0].is_held()
    app = pod.web_app(reserved=port)
    answers = [hook.answer().json() for hook in hooks]
    assert [answer["outcome"] for answer in answers] == ["resumed", "resumed"]
    assert agent.get("/readyz").status == 200
    pod.clients(app, 1)
    agent.counts(1)
    assert agent.status()["connections"]["serving"] == 1
    # And the next hook is a drain of its own.
    hook = agent.hook()
    agent.reaches("settling")
    assert hook.is_held()


def test_an_app_that_is_restarted_after_the_drain_is_served_again(pod: Pod) -> None:
    port = pod.reserve()
    app = pod.web_app(reserved=port)
    agent = pod.agent(app.port)
    assert agent.hook().answer().json()["outcome"] == "drained"
    app.terminate()
    assert app.exit_code() == 0
    agent.looks_again()
    assert agent.get("/readyz").status == 503
    assert agent.status()["phase"] == "done"
    pod.web_app(reserved=port)
    agent.reaches("serving")
    assert agent.get("/readyz").status == 200
    assert agent.said("serving again")


def test_an_app_that_is_back_between_two_censuses_is_seen_as_restarted(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    hook = agent.hook()
    assert hook.answer().json()["outcome"] == "drained"
    agent.looks_again()
    app.close()
    pod.bare_app(port=app.port)
    agent.reaches("serving")


def test_a_drain_with_clients_that_outlive_the_listener_is_resumed_with_them(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(2)
    agent.counts(2)
    hook = agent.hook()
    agent.drains()
    app.listener.close()
    pod.bare_app(port=app.port)
    told = hook.answer().json()
    assert (told["outcome"], told["remaining"]) == ("resumed", 2)
    assert agent.status()["connections"]["serving"] == 2


def test_workers_that_are_replaced_one_after_another_are_no_restart(pod: Pod) -> None:
    first = pod.bare_app(reuse_port=True)
    first.clients(1)
    second = pod.bare_app(port=first.port, reuse_port=True)
    agent = pod.agent(first.port)
    agent.counts(1)
    hook = agent.hook()
    agent.drains()
    first.listener.close()
    third = pod.bare_app(port=first.port, reuse_port=True)
    agent.looks_again()
    second.listener.close()
    agent.looks_again()
    assert agent.status()["phase"] == "draining"
    assert hook.is_held()
    # The last of the pool goes too: what listens then is another app.
    third.listener.close()
    agent.looks_again()
    assert hook.is_held()
    pod.bare_app(port=first.port, reuse_port=True)
    assert hook.answer().json()["outcome"] == "resumed"


def test_a_reload_that_adds_a_listener_is_no_restart(pod: Pod) -> None:
    app, other_port = pod.bare_app(), pod.reserve().port
    agent = pod.agent(app.port, other_port)
    app.clients(1)
    agent.counts(1)
    hook = agent.hook()
    agent.drains()
    added = pod.bare_app(port=other_port)
    added.clients(1)
    agent.counts(2)
    agent.looks_again()
    app.listener.close()
    agent.looks_again()
    assert hook.stays_held(0.2 * UNIT)
    app.all_leave()
    added.all_leave()
    told = hook.answer().json()
    assert (told["outcome"], told["connections_at_start"], told["arrived"], told["left"]) == ("drained", 1, 1, 2)
