"""The settings of closing: what is understood, one error for whatever is not, and what is bent with a warning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainer.closing import ClosePlan
from drainer.config import Config
from drainer.errors import ConfigError
from drainer.phases import Rung
from drainer.settings import BY_NAME

URL = "http://127.0.0.1:9809/drain"


def config(**environ: str) -> Config:
    """From DRAINER_ variables by their rest, with an app port."""
    return Config.from_env({f"DRAINER_{name}": text for name, text in {"APP_PORTS": "8080", **environ}.items()})


def mistakes(**environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        config(**environ)
    return raised.value.mistakes


def close_plan(**environ: str) -> ClosePlan:
    plan = config(**environ).plan().closing
    assert plan is not None
    return plan


# ----------------------------------------------------------------------------------------------------- what is right


def test_unasked_nobody_is_closed() -> None:
    assert config().plan().closing is None
    assert config(CLOSE_RATE="5", PATIENCE="60s", STRAGGLER_TIME="60s").warnings == ()


def test_closers_come_in_the_order_of_the_user_with_what_the_documents_promise() -> None:
    plan = close_plan(CLOSE="shutdown, websocket,reset")
    assert plan == ClosePlan((Rung("shutdown"), Rung("websocket"), Rung("reset")), 0.0, 7.0, 2.0, None)
    assert config(CLOSE="reset").close_code == 1012


@pytest.mark.parametrize(
    ("closers", "escalate_after", "straggler_time"),
    [("reset", "2s", 3.0), ("websocket,reset", "2s", 5.0), ("websocket,shutdown,reset", "500ms", 2.5)],
)
def test_the_time_for_stragglers_is_one_escalation_for_each_closer_and_a_second(
    closers: str, escalate_after: str, straggler_time: float
) -> None:
    assert close_plan(CLOSE=closers, ESCALATE_AFTER=escalate_after).straggler_time == straggler_time
    chosen = close_plan(CLOSE=closers, ESCALATE_AFTER=escalate_after, STRAGGLER_TIME="4s")
    assert chosen.straggler_time == 4.0


@pytest.mark.parametrize(("mode", "at_once"), [("batch", False), ("announce", True)])
def test_notify_leaves_the_choice_to_the_app(mode: str, *, at_once: bool) -> None:
    plan = close_plan(CLOSE="notify,reset", NOTIFY_URL=URL, NOTIFY_MODE=mode)
    assert plan.rungs == (Rung("notify", app_chooses=True, tells_at_once=at_once), Rung("reset"))


def test_every_length_and_rate_reaches_the_plan() -> None:
    plan = close_plan(
        CLOSE="reset", GRACE_PERIOD="60s", PATIENCE="3s", STRAGGLER_TIME="9s", ESCALATE_AFTER="1s", CLOSE_RATE="12.5"
    )
    assert plan == ClosePlan((Rung("reset"),), 3.0, 9.0, 1.0, 12.5)


GOOD = {
    "CLOSE": ["", "notify", "websocket,shutdown,reset", "reset", " shutdown  websocket "],
    "CLOSE_CODE": ["1001", "1012", "4000", "4999"],
    "CLOSE_REASON": ["", "back in a minute", "ä" * 61, "x" * 123],
    "CLOSE_RATE": ["off", "0.001", "1", "999999", "12.345"],
    "STRAGGLER_TIME": ["auto", "10ms", "3s"],
    "NOTIFY_URL": [
        "", "http://127.0.0.1:9809/drain", "http://localhost/", "http://LOCALHOST:1", "http://[::1]:8081/x?y=z",
        "HTTP://127.8.9.10:65535",
    ],
    "NOTIFY_MODE": ["batch", "announce"],
    "NOTIFY_REMOTE": ["true", "false"],
    "WEBSOCKET_PORTS": ["", "8080"],
    "WEBSOCKET_UNPROVEN": ["true", "false"],
}  # fmt: skip

BAD = {
    "CLOSE": ["kill", "reset,websocket", "reset,reset", "websocket,websocket", "Notify", "none", "off"],
    "CLOSE_CODE": ["1000", "1005", "1006", "1013", "3000", "3999", "5000", "999", "", "going away", "1012.0", "-1"],
    "CLOSE_REASON": ["x" * 124, "ä" * 62, "no utf-8: \udcff"],
    "CLOSE_RATE": ["0", "0.0", "0.0001", "-1", "1000000", "fast", "1e3", "٣", ".5"],
    "PATIENCE": ["-1s", "soon", "auto"],
    "STRAGGLER_TIME": ["0", "9ms", "off", "Auto"],
    "ESCALATE_AFTER": ["0s", "off", "never"],
    "NOTIFY_URL": [
        "https://127.0.0.1/", "127.0.0.1:9809", "/drain", "http://", "http:///drain", "ftp://127.0.0.1/",
        "http://user@127.0.0.1/", "http://:secret@127.0.0.1/", "http://127.0.0.1/#here", "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/", "http://127.0.0.1:http/", "http://[::1/", "http://127.0.0.1/a b", "http://ä/",
        "http://127.0.0.1/\t", "unix:///run/app.sock",
    ],
    "NOTIFY_MODE": ["Batch", "each"],
    "NOTIFY_REMOTE": ["yes", "1", "True"],
    "WEBSOCKET_PORTS": ["0", "80-70", "ws", "1-65535"],
    "WEBSOCKET_UNPROVEN": ["on", "FALSE"],
}  # fmt: skip


def each(texts: dict[str, list[str]]) -> list[Any]:
    return [pytest.param(name, text, id=f"{name}={text!r}") for name, found in texts.items() for text in found]


@pytest.mark.parametrize(("name", "text"), each(GOOD))
def test_what_is_allowed_is_understood(name: str, text: str) -> None:
    environ = {"NOTIFY_URL": URL} | {name: text}
    assert config(**environ).close_code


@pytest.mark.parametrize(
    ("name", "text"), [case for case in each(BAD) if case.values[1].strip() == case.values[1] != ""]
)
def test_whatever_is_not_is_one_error_that_names_setting_value_and_what_is_allowed(name: str, text: str) -> None:
    (mistake,) = mistakes(**{name: text})
    assert mistake == f"DRAINER_{name}={text!r} cannot be used; allowed: {BY_NAME[name.lower()].kind.allowed}"
    assert mistake.isprintable()


@pytest.mark.parametrize(("name", "text"), each(BAD))
def test_a_kind_refuses_by_itself_what_the_blanks_around_it_would_hide(name: str, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the contract is the type; `config` writes the message
        BY_NAME[name.lower()].kind.parse(text)


# -------------------------------------------------------------------------------------------- what does not go together


def test_notify_needs_an_address() -> None:
    (mistake,) = mistakes(CLOSE="notify,reset")
    assert mistake.startswith("DRAINER_NOTIFY_URL is not set, and DRAINER_CLOSE names notify; allowed: ")


@pytest.mark.parametrize("host", ["app.example", "192.0.2.7", "[2001:db8::7]", "0.0.0.0", "localhost.example"])
def test_the_app_is_told_on_loopback_unless_another_host_is_wished_for(host: str) -> None:
    url = f"http://{host}:9809/drain"
    (mistake,) = mistakes(NOTIFY_URL=url)
    assert mistake.startswith(f"DRAINER_NOTIFY_URL={url!r} leads to another host; allowed: loopback, ")
    assert mistake.endswith(" or any host with DRAINER_NOTIFY_REMOTE=true")
    assert config(CLOSE="notify", NOTIFY_URL=url, NOTIFY_REMOTE="true").notify_url == url


@pytest.mark.parametrize("port", [8080, 9808])
def test_the_app_is_not_told_on_a_port_that_is_counted_or_the_agents_own(port: int) -> None:
    (mistake,) = mistakes(CLOSE="notify", NOTIFY_URL=f"http://127.0.0.1:{port}/")
    assert mistake == (
        f"DRAINER_NOTIFY_URL='http://127.0.0.1:{port}/' is on one of the app's counted ports or the agent's own; "
        "allowed: a port of its own, like http://127.0.0.1:9809/drain"
    )


def test_what_follows_the_question_mark_of_the_address_is_not_shown() -> None:
    chosen = config(CLOSE="notify", NOTIFY_URL="http://127.0.0.1:9809/drain?password=x")
    assert chosen.shown()["notify_url"] == "http://127.0.0.1:9809/drain"
    assert chosen.notify_url.endswith("=x")


def test_a_port_of_websockets_is_one_of_the_app() -> None:
    assert mistakes(WEBSOCKET_PORTS="8080,9001,9000") == (
        "DRAINER_WEBSOCKET_PORTS=9000: is not a port of the app; allowed: ports of app_ports",
    )


def test_what_could_not_be_read_is_not_said_to_contradict_anything() -> None:
    assert len(mistakes(NOTIFY_URL="http://app.example/", NOTIFY_REMOTE="maybe")) == 1
    assert len(mistakes(CLOSE="notify", NOTIFY_URL="nowhere")) == 1
    assert len(mistakes(APP_PORTS="none", WEBSOCKET_PORTS="9000")) == 1


# -------------------------------------------------------------------------------------------------------------- bent


@pytest.mark.parametrize(
    ("environ", "patience", "straggler_time", "words"),
    [
        ({"PATIENCE": "20s"}, 10.0, 3.0, "patience 20s leaves no time for closing: 10s is used"),
        ({"PATIENCE": "1h", "TIMEOUT": "10s"}, 2.5, 1.25, "patience 3600s leaves no time for closing: 2.5s is used"),
        ({"STRAGGLER_TIME": "20s"}, 0.0, 10.0, "straggler_time 20s leaves nothing of the 20s for closing: 10s is used"),
        ({"ESCALATE_AFTER": "19s"}, 0.0, 10.0, "straggler_time 20s leaves nothing of the 20s for closing: 10s is used"),
        ({"PATIENCE": "18s"}, 18.0, 1.0, "straggler_time 3s leaves nothing of the 2s for closing: 1s is used"),
        ({"NOTIFY_URL": URL}, 0.0, 3.0, "notify_url has no effect: DRAINER_CLOSE does not name notify"),
    ],
)
def test_what_leaves_no_time_is_bent_with_a_warning_that_says_how(
    environ: dict[str, str], patience: float, straggler_time: float, words: str
) -> None:
    bent = config(CLOSE="reset", **environ)
    assert words in bent.warnings
    plan = bent.plan().closing
    assert plan is not None
    assert (plan.patience, plan.straggler_time) == (patience, straggler_time)


def lengths(lowest: int) -> st.SearchStrategy[str]:
    return st.builds("{}{}".format, st.integers(lowest, 160), st.sampled_from(["ms", "s", "m", "h"]))


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["GRACE_PERIOD", "APP_RESERVE", "TIMEOUT", "SETTLE", "ESCALATE_AFTER", "STRAGGLER_TIME"]),
        lengths(10),
    ),
    lengths(0),
)
def test_whatever_the_lengths_are_there_is_time_for_first_tries(given_lengths: dict[str, str], patience: str) -> None:
    plan = config(CLOSE="websocket,reset", PATIENCE=patience, **given_lengths).plan()
    assert plan.closing is not None
    closing_at = plan.settle + plan.closing.patience
    assert closing_at < plan.window - plan.closing.straggler_time < plan.window
