"""The settings of the Kubernetes API: when it is used, what is missing for it, and what has no effect without it."""

from __future__ import annotations

import pytest

from drainer.config import Config
from drainer.deletion import Pod
from drainer.errors import ConfigError
from drainer.plan import DrainPlan

POD = {
    "POD_NAME": "ws-0", "POD_NAMESPACE": "chat", "POD_UID": "7d1f6a52", "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}  # fmt: skip
SERVER = {name: POD[name] for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")}


def config(variables: dict[str, str] | None = None, /, **environ: str) -> Config:
    """From DRAINER_ variables by their rest, in a pod that has these variables besides."""
    ours = {f"DRAINER_{name}": text for name, text in {"APP_PORTS": "8080", **environ}.items()}
    return Config.from_env(ours | (POD if variables is None else variables))


def without(*names: str) -> dict[str, str]:
    return {name: text for name, text in POD.items() if name not in names}


# --------------------------------------------------------------------------------------------------- when it is used


@pytest.mark.parametrize("kubernetes", ["auto", "on"])
def test_the_api_is_used_when_all_that_it_takes_is_there(kubernetes: str) -> None:
    chosen = config(KUBERNETES=kubernetes)
    assert chosen.pod == Pod("ws-0", "chat", "7d1f6a52", ("10.96.0.1", 443))
    assert chosen.warnings == ()


def test_the_server_may_be_an_address_of_ipv6() -> None:
    pod = config({**POD, "KUBERNETES_SERVICE_HOST": " fd00::1 ", "KUBERNETES_SERVICE_PORT": "6443"}).pod
    assert pod is not None
    assert pod.server == ("fd00::1", 6443)


@pytest.mark.parametrize("variables", [POD, {}, {**POD, "KUBERNETES_SERVICE_PORT": "soon"}])
def test_off_is_off_and_nothing_is_missing(variables: dict[str, str]) -> None:
    chosen = config(variables, KUBERNETES="off")
    assert (chosen.pod, chosen.warnings) == (None, ())


@pytest.mark.parametrize("variables", [{}, SERVER])
def test_by_itself_it_is_not_used_where_nobody_has_asked_for_it(variables: dict[str, str]) -> None:
    chosen = config(variables)
    assert (chosen.pod, chosen.warnings) == (None, ())


@pytest.mark.parametrize(
    ("variables", "absent"),
    [
        (without("POD_UID"), "POD_UID"),
        ({**POD, "POD_NAMESPACE": " "}, "POD_NAMESPACE"),
        (without("KUBERNETES_SERVICE_HOST", "POD_NAME"), "POD_NAME, KUBERNETES_SERVICE_HOST"),
    ],
)
def test_half_of_what_it_takes_is_a_warning_or_with_on_a_mistake(variables: dict[str, str], absent: str) -> None:
    chosen = config(variables)
    assert chosen.pod is None
    assert chosen.warnings == (f"the API is not used: {absent} not set",)
    with pytest.raises(ConfigError) as raised:
        config(variables, KUBERNETES="on")
    assert raised.value.mistakes == (
        f"DRAINER_KUBERNETES=on needs {absent}; allowed: auto, off, or these variables by the downward API",
    )


def test_on_names_all_that_is_missing() -> None:
    with pytest.raises(ConfigError) as raised:
        config({}, KUBERNETES="on")
    assert f"needs {', '.join(POD)};" in raised.value.mistakes[0]


@pytest.mark.parametrize("port", ["0", "65536", "https", "tcp://10.96.0.1:443", "-1"])
def test_a_port_that_is_none_is_a_mistake(port: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config({**POD, "KUBERNETES_SERVICE_PORT": port})
    (mistake,) = raised.value.mistakes
    assert mistake.startswith(f"KUBERNETES_SERVICE_PORT={port!r} cannot be used; allowed: ")


@pytest.mark.parametrize("kubernetes", ["yes", "true", "ON"])
def test_a_choice_that_is_none_is_one_mistake(kubernetes: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config({}, KUBERNETES=kubernetes)
    (mistake,) = raised.value.mistakes
    assert mistake.startswith(f"DRAINER_KUBERNETES={kubernetes!r} cannot be used; allowed: ")


# ------------------------------------------------------------------------------------------------------ what is vain


@pytest.mark.parametrize("name", ["serving_label", "readiness_gate"])
def test_what_is_written_by_the_api_has_no_effect_without_it(name: str) -> None:
    setting = {name.upper(): "true"}
    needs = "it needs POD_NAME, POD_NAMESPACE and POD_UID"
    for variables, kubernetes in (({}, "auto"), (POD, "off")):
        chosen = config(variables, KUBERNETES=kubernetes, **setting)
        assert chosen.warnings == (f"{name} has no effect: the API is not used (kubernetes={kubernetes}; {needs})",)
    assert config(POD, **setting).warnings == ()


# -------------------------------------------------------------------------------------------------- the grace period


def test_the_grace_period_is_what_was_given_whatever_the_pod_says() -> None:
    assert config(GRACE_PERIOD="60s").plan(600.0) == config(GRACE_PERIOD="60s").plan() == DrainPlan(
        window=55.0, stopped_after=70.0
    )  # fmt: skip


@pytest.mark.parametrize(
    ("grace", "window", "settle", "stopped_after"),
    [(None, 25.0, 5.0, 40.0), (600.0, 595.0, 5.0, 610.0), (8.0, 3.0, 1.5, 18.0), (1.0, 0.5, 0.25, 11.0)],
)
def test_with_auto_it_is_what_the_pod_says_or_the_default(
    grace: float | None, window: float, settle: float, stopped_after: float
) -> None:
    for given in ({}, {"GRACE_PERIOD": "auto"}):
        plan = config(**given).plan(grace)
        assert plan == DrainPlan(window=window, settle=settle, stopped_after=stopped_after)


def test_a_timeout_still_shortens_it() -> None:
    assert config(TIMEOUT="20s").plan(600.0).window == 20.0


def test_the_bound_of_a_restart_reaches_the_plan() -> None:
    assert config().plan().restart_timeout == 30.0
    assert config(RESTART_TIMEOUT="90s").plan().restart_timeout == 90.0
