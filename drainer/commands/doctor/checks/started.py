"""What only a running pod shows: whether the agent has started and goes on, answers, and sees somebody listen."""

from __future__ import annotations

from collections.abc import Iterator

from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.checks.running import Running
from drainer.commands.doctor.findings import Found, Severity
from drainer.commands.doctor.kubelet import ended_with
from drainer.commands.doctor.shapes import Node
from drainer.commands.wording import listed
from drainer.phases import Phase

STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""What the kubelet says of every container for a while."""
MENDS = {
    **dict.fromkeys(
        ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"),
        "an image that the node can pull, and imagePullSecrets where it needs them (docs/image.md)",
    ),
    "CreateContainerConfigError": "the ConfigMap, Secret or key that is named",
}
"""Reason of the kubelet -> what to do; for all others its message says it."""
USAGE, KILLED = 2, 137
"""Exit codes: of settings that cannot be used, and of SIGKILL."""


def agent_waits(running: Running) -> Iterator[Found]:
    """The kubelet cannot start it."""
    waiting = running.container["state"]["waiting"]
    reason = waiting["reason"].text
    if not waiting or reason in STARTING:
        return
    message = " ".join(waiting["message"].text.split())
    last = running.container["lastState"]["terminated"]
    ended = f"; it has ended with {ended_with(last)}" if last else ""
    yield Found(
        (),
        f"the agent's container waits: {reason or 'no reason is said'}{message and f' ({message})'}{ended}",
        MENDS.get(reason) or (_mend(running, last) if last else "what the kubelet says"),
    )


def agent_ended(running: Running) -> Iterator[Found]:
    """It has ended, and the kubelet has not started it again yet."""
    ended = running.container["state"]["terminated"]
    if ended:
        yield Found((), f"the agent's container has ended with {ended_with(ended)}", _mend(running, ended))


def agent_restarted(running: Running) -> Iterator[Found]:
    """It runs again."""
    times = running.container["restartCount"].number or 0
    last = running.container["lastState"]["terminated"]
    if times and running.container["state"]["running"]:
        again = "once" if times == 1 else f"{times} times"
        how = f"last after {ended_with(last)}" if last else "nobody knows any more why"
        yield Found((), f"the agent was started again {again}, {how}", _mend(running, last))


def _mend(running: Running, ended: Node) -> str:
    logs = f"kubectl logs POD -c {running.container['name'].text} --previous"
    if ended["reason"].text == "OOMKilled":
        return "a higher memory limit"
    if ended["exitCode"].number == USAGE:
        return f"settings that it can use; it says which it cannot: {logs}"
    if ended["exitCode"].number == KILLED:
        return f"what has killed it: a probe of its own, or the node; {logs}"
    return f"what it has said: {logs}"


def agent_silent(running: Running) -> Iterator[Found]:
    """It was asked."""
    state = running.container["state"]
    if running.silence and not (state["waiting"] or state["terminated"]):
        yield Found(
            (),
            f"the agent's /status has no answer for the API server: {running.silence}",
            "the agent's port, if nobody listens there; or a NetworkPolicy that lets the API server in",
        )


def app_not_listening(running: Running) -> Iterator[Found]:
    """The agent has looked."""
    node = running.node
    ports = list(node["connections"]["by_port"].keys)
    listening = node["connections"]["by_state"]["LISTEN"]
    if listening.number == 0 and ports and node["phase"].text == Phase.SERVING:
        yield Found(
            (),
            f"nobody listens on {listed('port', ports)} in this pod: every drain is over after the settle time",
            "DRAINER_APP_PORTS: the ports on which the app listens; or nothing, if it is still starting",
        )


CHECKS = (
    Check(
        "agent-waits",
        Severity.ERROR,
        "`--live`: the kubelet cannot start the agent's container.",
        "Nobody listens at the hook's port; where the agent is a native sidecar, the app waits for it too.",
        "what the kubelet says: the image, the ConfigMap, the Secret; or what the agent has said before it ended",
        agent_waits,
    ),
    Check(
        "agent-ended",
        Severity.ERROR,
        "`--live`: the agent's container has ended, and the pod has not.",
        "Exit code 2 means settings that cannot be used, 1 that something else could not be had; OOMKilled is "
        "the memory limit.",
        "what it has said: kubectl logs --previous",
        agent_ended,
    ),
    Check(
        "agent-restarted",
        Severity.WARNING,
        "`--live`: the agent was started again.",
        "While it is away no hook is answered, and the hooks that it held end (docs/how-a-drain-goes.md).",
        "what it has said: kubectl logs --previous; after OOMKilled a higher memory limit",
        agent_restarted,
    ),
    Check(
        "agent-silent",
        Severity.WARNING,
        "`--live`: the agent's container runs, and its /status has no answer.",
        "Nobody listens at that port, or the API server's way to it is barred; the kubelet's way may not be.",
        "the port, or the NetworkPolicy",
        agent_silent,
    ),
    Check(
        "app-not-listening",
        Severity.ERROR,
        "`--live`: nobody listens on the ports whose connections the agent counts.",
        "There are no connections on a wrong port, so every drain ends after the settle time, and all clients are cut.",
        "the app's ports in DRAINER_APP_PORTS",
        app_not_listening,
    ),
)
