"""drainer: ends long-lived connections well in Kubernetes.

The way of the data, top to bottom; imports go the other way only::

    kernel socket table
            |  bytes            sockets/   the only place that knows netlink and /proc
            v
          Dump                  model      the rows of one walk over the table, in columns
            |                   counter    which rows count, and why the others do not
            |                   tracker    who is new, how old, who left
            v
         Census                 model      what is alive at one instant, in numbers
            |
      Drain(plan)               drain      phases, deadline, outcome
            |  Announce                    plan: how long; pacer, ladder: who is closed next, and how fast
            v
          Agent                 agent      the only loop: clock, look, carry the actions out
            |  |  ^
            |  |  +---- kube/              what the API says of the pod, where it is asked
            |  +------> closers/           one file for each way to end a connection
            |  Status
            v
  web, metrics, log, kube, termination     five views of one Status

Beside it, `commands` for people and pipelines; what they share with the agent is its settings and its sidecar.

The core (everything from `model` to `drain`, with `callers`, `status`, `settings` and `config`) is told
the time and does no I/O; `run` is the one place that joins all parts. `.importlinter` has every module in its place.
"""

__version__ = "0.1.0"
