"""Pods with and without the agent: whether it is there, asked for, or asked for in a way that does nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from drainer.commands.asked import ASKED, texts
from drainer.commands.doctor.case import Pod
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.findings import Found, Severity
from drainer.errors import ConfigError
from drainer.keys import CONTAINER, FORMER, INJECT, INJECTED, PREFIX, SERVING, annotation, is_ours

_GIVING = {annotation(name): name for name in ASKED}
_KNOWN = (*_GIVING, CONTAINER, FORMER, INJECTED, INJECT)


def _is_asked_for(pod: Pod) -> bool:
    return not pod.agents and pod.labels.get(INJECT) == "true"


def _is_out(pod: Pod) -> bool:
    """Whether somebody said that this pod shall have none, or none could run in it."""
    return pod.labels.get(INJECT) == "false" or _is_windows(pod)


def _is_windows(pod: Pod) -> bool:
    named = pod.spec["os"]["name"].text or pod.spec["nodeSelector"].keys.get("kubernetes.io/os")
    return named == "windows"


def _was_admitted(pod: Pod) -> bool:
    """Whether an API server has taken this pod already: what was to be put in would be there."""
    return pod.kind == "Pod" and bool(pod.object["metadata"]["uid"])


def malformed(pod: Pod) -> Iterator[Found]:
    """What the API server would not take either."""
    yield from pod.faults
    if not any(not one.is_init for one in pod.containers):
        yield Found(pod.spec["containers"].path, "there are no containers", "a list of containers")


def no_sidecar(pod: Pod) -> Iterator[Found]:
    """Nothing drains."""
    if pod.containers and not pod.agents and not _is_asked_for(pod) and not _is_out(pod):
        yield Found(
            pod.spec.path,
            "the pod has no drainer: its connections are cut when it ends",
            f'drainer inject -f FILE, or the label {INJECT}: "true" where the policy is installed; "false" where none '
            "is wanted",
        )


def awaits_injection(pod: Pod) -> Iterator[Found]:
    """The policy will do it."""
    if _is_asked_for(pod) and not _was_admitted(pod):
        yield Found(
            pod.pod["metadata"]["labels"][INJECT].path,
            "the label asks for the agent, which is put in when the pod is created: what comes of it is not seen here",
            "drainer doctor --live NAMESPACE/POD when it runs",
        )


def not_injected(pod: Pod) -> Iterator[Found]:
    """The policy has not done it."""
    if _is_asked_for(pod) and _was_admitted(pod):
        yield Found(
            pod.pod["metadata"]["labels"][INJECT].path,
            "the label asks for the agent, and the pod was admitted without: the policy was not there, or failed",
            "mend the annotations and the policy's parameters, and create the pod again",
        )


def inject_misplaced(pod: Pod) -> Iterator[Found]:
    """An annotation, or a label of the workload."""
    if pod.agents or pod.labels.get(INJECT) == "true":
        return
    places = [pod.pod["metadata"]["annotations"][INJECT]]
    if pod.kind != "Pod":
        places += [pod.object["metadata"][key][INJECT] for key in ("labels", "annotations")]
    for node in places:
        if node.text == "true":
            yield Found(
                node.path,
                f"{INJECT} is not among the labels of the pod: nobody looks for it here",
                f'{INJECT}: "true" in the labels of the pod{"" if pod.kind == "Pod" else " template"}',
            )


def annotation_unknown(pod: Pod) -> Iterator[Found]:
    """A typing mistake."""
    for key in pod.annotations:
        if is_ours(key) and key not in _KNOWN:
            nearest = difflib.get_close_matches(key, _KNOWN, n=1, cutoff=0)[0]
            yield Found(pod.annotation(key), "no way of adding the agent reads this annotation", f"write {nearest}")


def annotation_unusable(pod: Pod) -> Iterator[Found]:
    """A value that would be refused."""
    for key, text in pod.annotations.items():
        name = _GIVING.get(key)
        if name is None or pod.agents:
            continue
        try:
            texts({name: text}, {name: key})
        except ConfigError as error:
            says, _, allowed = str(error).partition("; allowed: ")
            yield Found(pod.annotation(key), says, f"allowed: {allowed}")


def serving_annotated(pod: Pod) -> Iterator[Found]:
    """Services select by labels."""
    if SERVING in pod.annotations:
        yield Found(
            pod.annotation(SERVING),
            f"{SERVING} is an annotation here: a Service selects by labels only",
            f'{SERVING}: "true" in the labels of the pod',
        )


def windows(pod: Pod) -> Iterator[Found]:
    """No netlink."""
    if pod.agents and _is_windows(pod):
        yield Found(
            pod.spec["os" if pod.spec["os"] else "nodeSelector"].path,
            "the agent reads the socket table of Linux: in a pod of Windows it does not start",
            "no drainer in this pod",
        )


CHECKS = (
    Check(
        "malformed",
        Severity.ERROR,
        "A field is not of the type that Kubernetes takes.",
        "The API server refuses it; the other checks go on as if it were not there.",
        "the type that is said",
        malformed,
    ),
    Check(
        "no-sidecar",
        Severity.ERROR,
        f'A pod without the agent, whose label {INJECT} does not say "false".',
        "Nobody counts, nobody holds the hook.",
        f'`drainer inject`, or the label {INJECT} "false" where none is wanted',
        no_sidecar,
    ),
    Check(
        "awaits-injection",
        Severity.NOTE,
        f"The label {INJECT} asks for the agent.",
        "The admission policy puts it in when a pod is created, so it is not in the manifest.",
        "a look at the running pod",
        awaits_injection,
    ),
    Check(
        "not-injected",
        Severity.ERROR,
        f"A pod that exists has the label {INJECT}, and not the agent.",
        "The policy lets pods in when it fails (failurePolicy: Ignore), so that nobody's rollout is held up.",
        "the policy, its parameters, the pod's annotations; then a new pod",
        not_injected,
    ),
    Check(
        "inject-misplaced",
        Severity.WARNING,
        f"{INJECT} is an annotation, or a label of the workload and not of its pods.",
        "An admission policy selects pods by their labels.",
        "the label on the pod template",
        inject_misplaced,
    ),
    Check(
        "annotation-unknown",
        Severity.WARNING,
        f"An annotation {PREFIX}/... that nobody reads.",
        "Annotations are named as the flags of `drainer inject`.",
        "the nearest name",
        annotation_unknown,
    ),
    Check(
        "annotation-unusable",
        Severity.ERROR,
        "An annotation whose value the agent would refuse.",
        "The policy passes it on as it is; the agent then ends with exit code 2.",
        "what is allowed is said",
        annotation_unusable,
    ),
    Check(
        "serving-annotated",
        Severity.WARNING,
        f"{SERVING} as an annotation.",
        "Services select by labels.",
        "the label",
        serving_annotated,
    ),
    Check(
        "windows",
        Severity.ERROR,
        "The agent in a pod of Windows.",
        "Counting is netlink sock_diag, or /proc: both are of Linux.",
        "no agent there",
        windows,
    ),
)
