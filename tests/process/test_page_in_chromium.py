"""The page in a real Chromium: at rest, in the middle of a drain, on a phone, in the dark, and when the agent goes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.process.chromium import Chromium, Tab, needs_chromium
from tests.process.conftest import Pod
from tests.process.examples import needs_node, node_modules
from tests.process.harness import Agent
from tests.process.test_page import CLOSING
from tests.process.waiting import setting, until

pytestmark = [needs_chromium, pytest.mark.timeout(120)]

PHONE = {"width": 360, "height": 740}

DARKNESS = """
(() => {
  const rgb = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
  return rgb.reduce((sum, part) => sum + part, 0) / 3 / 255;
})()
"""
"""From 0, black, to 1, white."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with Chromium() as chromium:
        yield chromium


@pytest.fixture
def tabs(chromium: Chromium) -> Iterator[Chromium]:
    """The browser, whose tabs are closed after each test: a stream that is open keeps a place."""
    yield chromium
    chromium.close_tabs()


def url(agent: Agent) -> str:
    return f"http://127.0.0.1:{agent.port}/"


def is_live(tab: Tab) -> None:
    tab.until("document.getElementById('link-text').innerText === 'live'")


def figure(tab: Tab) -> str:
    """The large number."""
    return str(tab.evaluate("document.querySelector('#figures dd').innerText"))


def closing_pod(pod: Pod, clients: int) -> Agent:
    app = pod.web_app()
    agent = pod.agent(app.port, websocket_ports=str(app.port), **{**CLOSING, "grace_period": setting(12)})
    pod.clients(app, clients)
    agent.counts(clients)
    return agent


def test_at_rest_it_shows_the_connections_and_follows_them_without_a_reload(pod: Pod, tabs: Chromium) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    tab = tabs.tab(url(agent))
    is_live(tab)
    assert (tab.text("phase"), figure(tab)) == ("Serving", "0")
    tab.evaluate("window.isTheSame = true")
    app.clients(23)
    until(lambda: figure(tab), lambda shown: shown == "23")
    assert tab.evaluate("window.isTheSame")
    assert tab.evaluate("document.title") == "23 serving · drainer"
    assert tab.text("badges") == "ready"
    assert tab.text("excluded-said") == "nothing: every socket on the app's ports counts"
    tab.until("document.querySelectorAll('#recent .line').length > 0")
    assert tab.evaluate("document.getElementById('drain').hidden")
    assert tab.complaints() == []
    # The document and its stream: it asks nobody for anything else.
    assert {request.split("/")[-1] for request in tab.requests() if not request.startswith("data:")} == {"", "stream"}


def test_in_the_middle_of_a_drain_it_shows_phases_deadline_and_pace_and_then_the_outcome(
    pod: Pod, tabs: Chromium
) -> None:
    agent = closing_pod(pod, 40)
    tab = tabs.tab(url(agent))
    is_live(tab)
    hook = agent.hook()
    tab.until("document.getElementById('phase').textContent === 'settling'")
    assert tab.text("badges") == "not ready"
    tab.until("document.getElementById('phase').textContent === 'closing'")
    tab.until("document.querySelectorAll('#course .bar').length > 2")
    assert rows(tab, "moments")[-1][0] == "deadline"
    assert [row[0] for row in rows(tab, "moments")[:-1]] == ["settling", "draining", "closing"]
    said = tab.evaluate("document.getElementById('figures').innerText")
    assert "to the deadline" in said
    assert "leaving now" in said
    assert tab.evaluate("document.querySelectorAll('#course .segment').length") == 3
    assert tab.evaluate("document.querySelectorAll('#course .plan').length") == 2
    assert 0 < int(figure(tab)) < 40
    counted = first_number(tab)
    until(lambda: first_number(tab), lambda now: now < counted)
    answer = hook.answer().json()
    assert answer["outcome"] == "drained"
    tab.until("document.getElementById('phase').textContent === 'done'")
    assert tab.text("badges").split("\n") == ["not ready", "drained"]
    took = re.match(r"Drained: all connections left after ([\d.]+) s, ", tab.text("drain-said"))
    assert took is not None
    assert float(took[1]) == pytest.approx(answer["seconds"], abs=0.051)
    assert ["closed by websocket", "40"] in facts(tab, "tally")
    assert tab.complaints() == []


def first_number(tab: Tab) -> int:
    return int(figure(tab))


def rows(tab: Tab, body: str) -> list[list[str]]:
    """The cells of a table."""
    cells: list[list[str]] = tab.evaluate(
        f"[...document.getElementById({body!r}).rows].map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    return cells


def facts(tab: Tab, name: str) -> list[list[str]]:
    found: list[list[str]] = tab.evaluate(
        f"[...document.getElementById({name!r}).children].map((row) => [...row.children].map((one) => one.innerText))"
    )
    return found


@pytest.mark.parametrize("is_draining", [False, True], ids=["at rest", "in a drain"])
def test_on_a_phone_nothing_is_wider_than_the_screen(pod: Pod, tabs: Chromium, is_draining: bool) -> None:  # noqa: FBT001
    agent = closing_pod(pod, 12)
    if is_draining:
        agent.hook()
        agent.reaches("closing")
    tab = tabs.tab(url(agent), **PHONE)
    is_live(tab)
    tab.until("document.querySelectorAll('#recent .line').length > 0")
    assert tab.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]
    # Nor is any label of a picture cut off.
    inside = """
    [...document.querySelectorAll('svg[role=img] text')].every((text) => {
      const box = text.getBoundingClientRect(), picture = text.ownerSVGElement.getBoundingClientRect();
      return box.left >= picture.left - 1 && box.right <= picture.right + 1;
    })
    """
    assert tab.evaluate(inside)


def test_in_the_dark_it_is_dark_and_in_the_light_it_is_light(pod: Pod, tabs: Chromium) -> None:
    agent = pod.agent(pod.bare_app().port)
    tab = tabs.tab(url(agent), prefers_color_scheme="dark")
    assert tab.evaluate(DARKNESS) < 0.15
    tab.emulate(prefers_color_scheme="light")
    assert tab.evaluate(DARKNESS) > 0.9


def test_who_wants_no_motion_gets_none(pod: Pod, tabs: Chromium) -> None:
    agent = pod.agent(pod.bare_app().port)
    moves = "document.getAnimations().length"
    tab = tabs.tab(url(agent), prefers_reduced_motion="no-preference")
    is_live(tab)
    assert tab.evaluate(moves) > 0
    tab.emulate(prefers_reduced_motion="reduce")
    assert tab.evaluate(moves) == 0


def test_without_javascript_it_says_where_the_numbers_are(pod: Pod, tabs: Chromium) -> None:
    agent = pod.agent(pod.bare_app().port)
    tab = tabs.tab("about:blank")
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.go(url(agent))
    assert "The same numbers are at /status" in tab.body_text()


def test_when_the_places_are_taken_it_shows_the_state_it_came_with_and_says_so(pod: Pod, tabs: Chromium) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(5)
    agent.counts(5)
    calls = [agent.watch() for _ in range(4)]
    tab = tabs.tab(url(agent))
    tab.until("document.getElementById('link-text').innerText.includes('all places are taken')")
    assert figure(tab) == "5"
    assert "tries again by itself" in tab.text("notice")
    for call in calls:
        call.hang_up()
    is_live(tab)
    assert tab.evaluate("document.getElementById('notice').hidden")


def test_when_the_agent_ends_it_says_so_and_keeps_the_last_state(pod: Pod, tabs: Chromium) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(2)
    tab = tabs.tab(url(agent))
    until(lambda: figure(tab), lambda shown: shown == "2")
    agent.terminate()
    assert agent.exit_code() == 0
    tab.until("document.getElementById('link-text').innerText === 'the agent has ended'")
    assert (figure(tab), tab.evaluate("document.getElementById('link').dataset.is")) == ("2", "lost")
    assert "The agent ended at" in tab.text("notice")


def test_a_hidden_page_gives_its_place_back(pod: Pod, tabs: Chromium) -> None:
    agent = pod.agent(pod.bare_app().port)
    tab = tabs.tab(url(agent))
    is_live(tab)
    tabs.tab("about:blank")
    tab.until("document.getElementById('link-text').innerText === 'paused while nobody looks'")
    calls = [agent.watch() for _ in range(4)]
    until(lambda: [call.is_held() for call in calls], lambda held: not any(held))
    for call in calls:
        call.hang_up()
    tab.show()
    is_live(tab)


@needs_node
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_from_reading_it(pod: Pod, tabs: Chromium, scheme: str) -> None:
    """axe-core's rules: contrast, names, roles, order of headings, tables."""
    axe = (node_modules() / "axe-core" / "axe.min.js").read_text()
    agent = closing_pod(pod, 12)
    agent.hook()
    agent.reaches("closing")
    tab = tabs.tab(url(agent), prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    is_live(tab)
    tab.evaluate("document.querySelector('details').open = true")
    tab.evaluate(axe + ";0")
    found: Any = tab.evaluate(
        "axe.run().then((all) => ({passed: all.passes.length, broken: all.violations.map((one) => "
        "[one.id, one.nodes.map((node) => node.html + ' ' + node.failureSummary)])}))"
    )
    assert found["broken"] == []
    assert found["passed"] > 15


def test_a_pod_that_is_full_says_so_and_the_picture_has_its_limit(pod: Pod, tabs: Chromium) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, max_connections="4", resume_below="3", full="metric")
    tab = tabs.tab(url(agent))
    is_live(tab)
    assert tab.text("badges") == "ready"
    app.clients(5)
    until(lambda: tab.text("badges"), lambda said: said.split("\n") == ["ready", "full"])
    assert ["connections", "5 of 4 (125 %)"] in facts(tab, "limit-facts")
    assert ["takes again below", "3"] in facts(tab, "limit-facts")
    tab.until("document.querySelectorAll('#recent .limit').length === 1")
    assert tab.complaints() == []


def test_what_is_said_of_health_and_usage_has_its_place(pod: Pod, tabs: Chromium) -> None:
    """As /status says it; it is there where it is switched on."""
    agent = pod.agent(pod.bare_app().port)
    tab = tabs.tab(url(agent))
    is_live(tab)
    tab.evaluate("hangUp()")
    assert tab.evaluate("['limit', 'health', 'usage'].every((id) => document.getElementById(id).hidden)")
    tab.evaluate(
        """
        state.health = {well: false, failing: ["handshake"], age_seconds: 1.2, checks: [
          {name: "ready", passed: true, value: null, bound: null, detail: ""},
          {name: "handshake", passed: false, value: 1.53, bound: 1, detail: "more than 1"}]};
        state.usage = {memory_bytes: 310378496, cpu_cores: 0.42, descriptors: 812, missing: null,
                       per_connection: {memory: {slope: 41250, standard_error: 820}, cpu: null}};
        render();
        """
    )
    assert tab.text("badges").split("\n") == ["ready", "unwell: handshake"]
    assert rows(tab, "checks") == [["✓ ready", "", ""], ["✗ handshake\nmore than 1", "1.5 s", "1.0 s"]]
    assert ["memory per connection", "40.3 KiB ± 820 B"] in facts(tab, "usage-facts")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_agent_that_hangs_is_shown_as_silent(pod: Pod, tabs: Chromium) -> None:
    agent = pod.agent(pod.bare_app().port)
    tab = tabs.tab(url(agent))
    is_live(tab)
    agent.freeze()
    try:
        time.sleep(10)  # the page's patience is no matter of units
        tab.until("document.getElementById('link-text').innerText.startsWith('silent for')")
    finally:
        agent.thaw()
    is_live(tab)
