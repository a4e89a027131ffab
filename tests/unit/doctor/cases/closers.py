"""What closers need."""

from __future__ import annotations

from tests.unit.doctor.pods import (
    Edits,
    closing,
    env,
    put,
    side,
)

ROOT = ["SYS_PTRACE", "DAC_READ_SEARCH", "NET_RAW"]


BAD: dict[str, list[Edits]] = {
    "closer-process-namespace": [(closing("shutdown", add=["SYS_PTRACE"]), put("spec shareProcessNamespace"))],
    "closer-seccomp": [(closing("shutdown"),), (closing("shutdown"), put("spec shareProcessNamespace"))],
    "closer-other-user": [
        (closing("shutdown", user=65532, add=["SYS_PTRACE"]),),
        (closing("shutdown"), side("securityContext runAsGroup", 1), put("spec securityContext runAsGroup", 2)),
        (closing("shutdown", user=65532, app_user=None, add=["SYS_PTRACE"]), put("spec securityContext runAsUser", 0)),
    ],
    "closer-unknown-user": [
        (closing("shutdown", user=None, add=["SYS_PTRACE"]),),
        (closing("shutdown", app_user=None, add=["SYS_PTRACE"]),),
        (closing("reset", user=None, add=["NET_ADMIN"]),),
    ],
    "closer-needs-root": [
        (closing("reset", add=["NET_ADMIN"]),),
        (closing("websocket,reset", add=["SYS_PTRACE", "NET_RAW", "NET_ADMIN"]),),
        (closing("notify,reset", user=None), put("spec securityContext runAsUser", 1000)),
    ],
    "closer-capabilities": [
        (closing("reset", user=0),),
        (closing("shutdown", user=0, add=["SYS_PTRACE"]),),
        (closing("shutdown", user=0, app_user=0, add=["DAC_READ_SEARCH"]),),
        (closing("websocket,shutdown", user=0, add=["SYS_PTRACE", "DAC_READ_SEARCH"]),),
    ],
    "websocket-alone": [(closing("websocket"),), (closing("notify,websocket"),)],
}
WELL: dict[str, list[Edits]] = {
    "closer-process-namespace": [
        (put("spec shareProcessNamespace"),),
        (closing("shutdown"), put("spec shareProcessNamespace"), put("spec hostPID", value=True)),
    ],
    "closer-seccomp": [
        (closing("shutdown", add=["SYS_PTRACE"]),),
        (closing("shutdown", add=["ALL"]),),
        (closing("shutdown", user=0, add=ROOT),),
        (closing("shutdown"), side("securityContext seccompProfile", {"type": "Localhost"})),
        (closing("shutdown"), side("securityContext privileged", value=True)),
    ],
    "closer-other-user": [
        (closing("shutdown"),),
        (closing("shutdown", user=0, add=ROOT),),
        (closing("shutdown", app_user=None),),
        (closing("shutdown", user=65532), side("securityContext privileged", value=True)),
    ],
    "closer-unknown-user": [(closing("shutdown"),), (side("securityContext"),), (closing("reset", app_user=None),)],
    "closer-needs-root": [
        (closing("shutdown", add=["SYS_PTRACE"]),),
        (closing("reset", user=0, add=["NET_ADMIN"]),),
        (closing("websocket,shutdown"), env("DRAINER_WEBSOCKET_PORTS", "8080")),
    ],
    "closer-capabilities": [
        (closing("websocket,shutdown,reset", user=0, add=[*ROOT, "NET_ADMIN"]),),
        (closing("reset", user=0, add=["ALL"]),),
        (closing("reset", user=0), side("securityContext privileged", value=True)),
        (closing("shutdown", user=0, app_user=0, add=["SYS_PTRACE"]),),
        (
            closing("websocket,shutdown", user=0, add=["SYS_PTRACE"]),
            side("securityContext capabilities drop", ["CHOWN"]),
        ),
    ],
    "websocket-alone": [(closing("websocket,shutdown"),), (closing("shutdown"),)],
}
