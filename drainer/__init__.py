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
            |  Announce
            v
          Agent                 agent      the only loop: clock, look, carry the actions out
            |  Status
            v
     web, metrics, log                     three views of one Status

The core (everything from `model` to `drain`, with `callers`, `status`, `settings` and `config`) is told
the time and does no I/O; `run` is the one place that joins all parts.
"""

__version__ = "0.1.0"
