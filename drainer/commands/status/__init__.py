"""`drainer status`: how the agents are and how their drains go, once or as it changes.

``targets`` says whom to ask, ``asking`` asks them all at once, ``rows`` is what of an answer is shown (pure), ``table``
how it is shown (pure), ``command`` joins them.
"""
