"""What a ReplicaSet is told of a pod's worth: of its pods the one with the lowest deletion cost goes first.

The cost is the number of connections in bands: changing it often would be "a significant number of pod updates on the
apiserver" (the documentation of controller.kubernetes.io/pod-deletion-cost), and each is a sync of the kubelet too.
"""

from __future__ import annotations

DEAF = frozenset({"StatefulSet", "DaemonSet", "Job"})
"""Controllers that do not look at it: only a ReplicaSet does (replica_set.go, getPodsToDelete), and its imitators."""
STAYS_FROM, STAYS_BELOW = 0.75, 2.25
"""Of the cost that stands: within these bounds the connections do not change it."""
APART, SPREAD = 60.0, 30.0
"""Seconds between two writes: at least the one, and by chance up to the other longer."""


def cost(connections: int, standing: int = 0) -> int:
    """The cost of a pod with so many connections, where `standing` is the one that it has now.

    0, or the largest power of two that is not above their number.
    """
    if STAYS_FROM * standing <= connections < STAYS_BELOW * standing:
        return standing
    return 1 << connections.bit_length() - 1 if connections else 0
