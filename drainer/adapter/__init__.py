"""The metrics API over many agents: what an autoscaler asks, answered from the agents' /status.

::

    pods of the API ──watch──► Fleet ◄──readings── Sweep ──GET /status──► agents
                                 │
    kube-apiserver ──TLS──► Front: who asks, may they, what ──► answers
                                 ▲
    Secret, APIServices ◄── Keeper: certificate and caBundle
    HPAs of the API ──watch──► Valuer ──deletion costs──► pods of the API

Pure: selectors, quantities, pods, readings, fleet, rounds, autoscalers, worths, questions, answers, documents, schemas,
identity. The others do I/O.
"""
