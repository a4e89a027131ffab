"""A drain to look at: `python -m demo` stops a pod with 200 WebSocket clients, all of it on this machine."""
