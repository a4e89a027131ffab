from __future__ import annotations

import pytest

from drainer.config import Config
from drainer.errors import ConfigError
from drainer.target import Ask, HealthPlan, Target
from drainer.vitals import Bounds

SECRET = "of-a-secret"


def config(**settings: str) -> Config:
    return Config.from_env(
        {"DRAINER_APP_PORTS": "8080,9000"} | {f"DRAINER_{k.upper()}": v for k, v in settings.items()}
    )


def mistakes(**settings: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config(**settings)
    return caught.value.mistakes


def test_by_itself_nothing_is_asked() -> None:
    assert config().health_plan() is None
    assert config().warnings == ()


def test_the_least_is_a_word() -> None:
    plan = config(health="ping").health_plan()
    assert plan == HealthPlan(
        target=Target(port=8080, ask=Ask.PING), interval=5.0, misses=3, bounds=Bounds(), sources=(), usage_interval=15.0
    )


def test_everything_that_can_be_said_is_heard() -> None:
    plan = config(
        health="echo", health_port="9000", health_path="/ws?a=b", health_host="chat.example", health_tls="true",
        health_origin="https://chat.example", health_subprotocols="a,b", health_headers=f"A: {SECRET}",
        health_interval="1s", health_latency="200ms", health_misses="9", health_max_connections="7",
        health_max_memory="1Gi", health_max_cpu="500m", health_max_descriptors="99", usage="processes",
        usage_interval="30s",
    ).health_plan()  # fmt: skip
    assert plan == HealthPlan(
        target=Target(
            9000, Ask.ECHO, "/ws?a=b", "chat.example", "https://chat.example", ("a", "b"), (("A", SECRET),), tls=True
        ),
        interval=1.0,
        misses=9,
        bounds=Bounds(0.2, 7, 2**30, 0.5, 99),
        sources=("processes",),
        usage_interval=30.0,
    )  # fmt: skip


def test_usage_alone_asks_the_app_nothing() -> None:
    plan = config(usage="auto").health_plan()
    assert plan is not None
    assert (plan.target, plan.sources) == (None, ("processes", "metrics"))


def test_headers_are_shown_nowhere_and_of_the_path_only_what_is_no_query() -> None:
    made = config(health="ping", health_headers=f"Authorization: {SECRET}", health_path=f"/ws?key={SECRET}")
    assert SECRET not in repr(made.shown())
    assert made.shown()["health_path"] == "/ws"
    assert f"Authorization: {SECRET}" not in repr(made) + repr(made.health_plan())
    [said] = mistakes(health_headers=f"Authorization {SECRET}")
    assert said.startswith("DRAINER_HEALTH_HEADERS=(not shown) cannot be used; allowed: lines like")
    assert SECRET not in said


def test_a_port_that_is_not_the_apps_is_a_mistake() -> None:
    assert mistakes(health="ping", health_port="7000") == (
        "DRAINER_HEALTH_PORT=7000: is not a port of the app; allowed: one of app_ports",
    )
    # Where the app's ports could not be read, that is mistake enough.
    assert len(mistakes(app_ports="x", health_port="7000")) == 1


@pytest.mark.parametrize("name", ["health_max_memory", "health_max_cpu", "health_max_descriptors"])
def test_a_bound_on_what_nobody_measures_is_a_mistake(name: str) -> None:
    given = "1048576" if name.endswith("memory") else "1000"
    [said] = mistakes(health="ping", **{name: given})
    assert said.startswith(
        f"DRAINER_{name.upper()}={given} needs to know what the app takes, and usage is off; allowed: "
    )
    assert config(health="ping", usage="auto", **{name: given}).warnings == ()


def test_what_has_no_effect_is_said() -> None:
    assert config(health_path="/ws", health_max_connections="5").warnings == (
        "health_path has no effect: health is off", "health_max_connections has no effect: health is off",
    )  # fmt: skip
    assert config(usage="metrics").warnings == ("usage=metrics has no effect: the API is not used",)


def test_the_variable_of_a_service_named_drainer_health_is_no_setting() -> None:
    made = config(health="ping", health_port="tcp://10.0.0.1:80")
    assert made.health_port is None
    assert "DRAINER_HEALTH_PORT is the variable that Kubernetes makes for a Service of that name" in made.warnings[0]
