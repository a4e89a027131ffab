"""`drainer doctor`: what in a pod spec will break its drain, each with the fix.

`shapes` makes sure that fields are what Kubernetes takes, `case` and `given` are what the checks look at, `checks` has
the table of all checks; all of these are pure. `command` joins them with files (`sources`) and clusters (`live`).
"""
