"""The promises, held on a real cluster. `python -m e2e` runs them; docs/e2e.md says which promise is which test.

::

    this machine                                  the cluster, in a namespace of the run's own
    ------------                                  --------------------------------------------
    tests ── Scene ── manifests ──── create ────►  pods: app and sidecar (pods/server.py)
                │
                ├─ Traffic ───────── API proxy ─►  pods: clients          (pods/clients.py)
                │
                └─ Recorder ◄─────── watch, logs ─ pods, Events, EndpointSlices, what containers wrote

Nothing but the API server needs to be reached from here: the clients run in the cluster, and report through its proxy.
"""
