"""`drainer advise`: requests, limits, the HPA's target and max_connections, from what a connection has cost."""
