from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainer.callers import CallerPolicy
from drainer.config import Config, some_settings
from drainer.errors import ConfigError
from drainer.plan import DrainPlan
from drainer.settings import SETTINGS

TOKEN = "opensesame"


def config(flags: Mapping[str, str] | None = None, read: Any = str, /, **environ: str) -> Config:
    """From DRAINER_ variables by their rest, with `app_ports` unless it is given."""
    env = {"APP_PORTS": "8080", **environ}
    return Config.from_env({f"DRAINER_{name}": value for name, value in env.items()}, flags, read)


def mistakes(flags: Mapping[str, str] | None = None, read: Any = str, /, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        config(flags, read, **environ)
    return raised.value.mistakes


# ----------------------------------------------------------------------------------------------------- what is right


def test_with_nothing_but_the_ports_everything_has_its_default() -> None:
    default = config()
    assert default.app_ports == (8080,)
    assert default.warnings == ()
    assert default.plan() == DrainPlan(window=25.0, settle=5.0, flush=2.0, max_remaining=0)
    assert default.caller_policy() == CallerPolicy()


def test_every_setting_can_be_given_as_variable_and_as_flag() -> None:
    texts = {
        **{setting.name: setting.default for setting in SETTINGS if setting.default},
        "app_ports": "80,443",
        "host": "::1",
        "settle": "1s",
        "flush": "3s",
        "max_remaining": "2",
        "timeout": "20s",
        "ignore_peers": "10.0.0.0/8",
        "trusted_sources": "192.0.2.0/24",
        "node_ip": "198.51.100.7,2001:db8::7",
        "token": TOKEN,
    }
    by_variable = Config.from_env({f"DRAINER_{name.upper()}": text for name, text in texts.items()})
    by_flag = Config.from_env({}, texts)
    assert by_variable == by_flag
    assert by_flag.plan() == DrainPlan(window=20.0, settle=1.0, flush=3.0, max_remaining=2)
    assert by_flag.caller_policy(["172.17.0.1"]) == CallerPolicy(
        token=TOKEN,
        sources=("192.0.2.0/24", "198.51.100.7", "2001:db8::7"),
        gateways=("172.17.0.1",),
    )


def test_a_flag_wins_over_the_variable_and_an_empty_variable_is_none() -> None:
    assert config({"settle": " 2s "}, SETTLE="3s", PORT="  ").settle == 2.0
    assert config(PORT="  ").port == 9808


def test_callers_all_trusts_everyone() -> None:
    assert config(CALLERS="all").caller_policy().trust_all


def test_other_variables_are_not_looked_at() -> None:
    assert Config.from_env({"DRAINER_APP_PORTS": "80", "PATH": "/bin", "drainer_settle": "x"}).warnings == ()


# ------------------------------------------------------------------------------------------------------- mistakes


def test_all_mistakes_are_in_one_message_with_setting_value_and_what_is_allowed() -> None:
    found = mistakes({"interval": "0"}, APP_PORTS="0", PORT="65536", SETTLE="soon", CONTAINER="side", NODE_IP="node-1")
    assert [mistake.partition(" ")[0] for mistake in found] == [
        "DRAINER_APP_PORTS='0'",
        "DRAINER_PORT='65536'",
        "DRAINER_CONTAINER='side'",
        "DRAINER_SETTLE='soon'",
        "--interval='0'",
        "DRAINER_NODE_IP='node-1'",
    ]
    allowed = {setting.env: setting.kind.allowed for setting in SETTINGS}
    for mistake in found:
        name = mistake.partition("=")[0].replace("--", "DRAINER_").upper()
        assert mistake.endswith(f"cannot be used; allowed: {allowed[name]}")
    assert str(ConfigError(found)).splitlines() == list(found)


def test_the_ports_of_the_app_have_to_be_given() -> None:
    with pytest.raises(ConfigError, match=r"^DRAINER_APP_PORTS is not set; allowed: 1 to 256 ports"):
        Config.from_env({})


def test_the_agent_needs_a_port_of_its_own() -> None:
    assert mistakes(APP_PORTS="9800-9810") == (
        "DRAINER_PORT=9808: is one of the app's ports too; allowed: a port of its own",
    )


def test_a_command_reads_only_the_settings_it_needs() -> None:
    environ = {"DRAINER_APP_PORTS": "80", "DRAINER_SETTLE": "soon"}
    assert some_settings(["app_ports", "ignore_peers"], environ, {}) == {"app_ports": (80,), "ignore_peers": ()}
    with pytest.raises(ConfigError, match="DRAINER_SETTLE='soon'"):
        some_settings(["settle"], environ, {})


# ------------------------------------------------------------------------------------------------------- the token


def test_a_token_comes_from_a_file_without_the_blanks_around_it() -> None:
    files = {"/run/token": f"{TOKEN}\n"}
    assert config({}, files.__getitem__, TOKEN_FILE="/run/token").token == TOKEN
    assert config({"token_file": "/run/token"}, files.__getitem__).token == TOKEN


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (FileNotFoundError(2, "No such file or directory"), "cannot be read (No such file or directory)"),
        (OSError("strange"), "cannot be read"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "holds no usable token"),
        (" \n", "is empty"),
        (f"{TOKEN}\n{TOKEN}", "holds no usable token"),
        ("öpensesame", "holds no usable token"),
    ],
    ids=repr,
)
def test_a_token_file_that_is_of_no_use_is_a_mistake_that_does_not_show_what_is_in_it(
    found: str | Exception, complaint: str
) -> None:
    def read(path: str) -> str:
        if isinstance(found, Exception):
            raise found
        return found

    (mistake,) = mistakes({}, read, TOKEN_FILE="/run/token")
    assert mistake.startswith(f"DRAINER_TOKEN_FILE='/run/token' {complaint}")
    assert "; allowed: " in mistake
    assert "pensesame" not in mistake


def test_a_token_and_a_file_with_one_are_one_too_many() -> None:
    (mistake,) = mistakes({"token_file": "/run/token"}, TOKEN=TOKEN)
    assert mistake.startswith("--token-file='/run/token' cannot")
    assert "together with DRAINER_TOKEN" in mistake


def test_a_token_is_shown_nowhere() -> None:
    chosen = config(TOKEN=TOKEN)
    assert TOKEN not in repr(chosen)
    assert TOKEN not in repr(chosen.caller_policy())
    assert TOKEN not in repr(chosen.shown())
    for found in (
        mistakes(TOKEN=f"{TOKEN}\t\x07{TOKEN}"),
        mistakes({"token": f"{TOKEN}é"}),
        mistakes(TOKEN=TOKEN, PORT="0"),
    ):
        assert TOKEN not in repr(found)
    assert "DRAINER_TOKEN=(not shown) cannot be used" in mistakes(TOKEN="é")[0]


def test_everything_else_is_shown() -> None:
    shown = config(SETTLE="1s").shown()
    assert set(shown) == {setting.name for setting in SETTINGS} - {"token", "token_file", "health_headers"}
    assert shown["settle"] == 1.0


# ------------------------------------------------------------------------------------------- warnings, contradictions


@pytest.mark.parametrize(
    ("environ", "window", "settle", "words"),
    [
        ({"SETTLE": "25s"}, 25.0, 12.5, "settle 25s leaves nothing of the 25s of a drain: 12.5s is used"),
        ({"SETTLE": "60s", "TIMEOUT": "10s"}, 10.0, 5.0, "settle 60s leaves nothing of the 10s of a drain: 5s is used"),
        ({"APP_RESERVE": "30s"}, 15.0, 5.0, "app_reserve 30s leaves nothing of the grace period of 30s: 15s is used"),
        ({"CALLERS": "all", "TOKEN": TOKEN}, 25.0, 5.0, "callers=all has no effect while a token is set"),
    ],
)
def test_a_contradiction_is_bent_to_what_works_with_one_warning_that_says_how(
    environ: dict[str, str], window: float, settle: float, words: str
) -> None:
    bent = config(**environ)
    (warning,) = bent.warnings
    assert warning.startswith(words)
    assert (bent.plan().window, bent.plan().settle) == (window, settle)


def test_a_timeout_shortens_a_drain_and_never_prolongs_it() -> None:
    assert config(TIMEOUT="20s").plan().window == 20.0
    assert config(TIMEOUT="1h").plan().window == 25.0


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SETTEL", "DRAINER_SETTLE"),
        ("GRACEPERIOD", "DRAINER_GRACE_PERIOD"),
        ("APP_PORT", "DRAINER_APP_PORTS"),
        ("NODE_IPS", "DRAINER_NODE_IP"),
    ],
)
def test_an_unknown_variable_is_a_warning_with_the_nearest_name(name: str, nearest: str) -> None:
    assert config(**{name: "1"}).warnings == (
        f"DRAINER_{name} is not a setting and has no effect; the nearest is {nearest}",
    )


@pytest.mark.parametrize("link", ["tcp://10.96.0.7:9808", "udp://10.96.0.7:53"])
def test_the_variables_of_a_service_named_drainer_are_no_settings(link: str) -> None:
    with_links = config(
        PORT=link,
        PORT_9808_TCP=link,
        PORT_9808_TCP_ADDR="10.96.0.7",
        SERVICE_HOST="10.96.0.7",
        SERVICE_PORT_HTTP="9808",
    )
    assert with_links.port == 9808
    assert with_links.warnings == (
        "DRAINER_PORT is the variable that Kubernetes makes for a Service of that name: not used",
    )


# ------------------------------------------------------------------------------------------------------------- fuzz


def lengths(lowest: int, highest: int) -> st.SearchStrategy[str]:
    return st.builds("{}{}".format, st.integers(lowest, highest), st.sampled_from(["ms", "s", "m", "", "h"]))


PLAUSIBLE = st.one_of(
    lengths(0, 200),
    st.sampled_from(
        ["off", "all", "now", "plain", "8080", "9000-9010", "10.0.0.0/8", "::1", "tcp://x", "fe80::1%e/64"]
    ),
    st.text(max_size=8),
)
NAMES = st.sampled_from([setting.name for setting in SETTINGS])


OPTIONAL_SETTINGS = {"grace_period", "timeout", "idle_after", "straggler_time", "close_rate", "pod"} | {
    "max_connections", "resume_below", "max_rate", "health_port",
    "health_max_connections", "health_max_memory", "health_max_cpu", "health_max_descriptors",
}  # fmt: skip


def is_usable(chosen: Config) -> bool:
    plan = chosen.plan()
    assert 0 <= plan.settle < plan.window <= (chosen.grace_period or 30.0)
    assert chosen.settle > 0 or plan.settle == 0
    assert chosen.port not in chosen.app_ports
    assert all(getattr(chosen, field.name) is not None or field.name in OPTIONAL_SETTINGS for field in fields(chosen))
    return True


@settings(max_examples=200)
@given(
    environ=st.dictionaries(NAMES, PLAUSIBLE, max_size=6),
    flags=st.dictionaries(NAMES, PLAUSIBLE, max_size=3),
    content=st.text(max_size=8),
    unknown=st.text(max_size=6),
)
def test_any_text_for_any_setting_is_a_usable_config_or_a_config_error(
    environ: dict[str, str], flags: dict[str, str], content: str, unknown: str
) -> None:
    variables = {f"DRAINER_{name.upper()}": text for name, text in environ.items()}
    try:
        chosen = Config.from_env(
            {"DRAINER_APP_PORTS": "8080", f"DRAINER_{unknown}": "1", **variables}, flags, lambda path: content
        )
    except ConfigError as error:
        found = error.mistakes
    else:
        found = ()
        assert is_usable(chosen)
    for mistake in found:
        assert re.match(r"(DRAINER_[A-Z_]+|--[a-z-]+)(=| is not set)", mistake)
        assert "; allowed: " in mistake


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(["grace_period", "app_reserve", "timeout", "settle"]), lengths(10, 160)))
def test_lengths_that_are_each_allowed_always_make_a_drain_that_works(given_lengths: dict[str, str]) -> None:
    chosen = config(given_lengths)
    assert is_usable(chosen)
    assert chosen.plan().settle > 0
    assert len(chosen.warnings) <= 2
